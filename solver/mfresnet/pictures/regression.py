# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures of a regression: the predictions against the labels, and over a single coordinate.

The band is where the label lies with the probability that ``BAND`` says, by the joint density.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional, trained_network
from mfresnet.pictures.language import Names
from mfresnet.pictures.palette import COLOURS, shown
from mfresnet.verification import predicted, predictive_law

BAND = (0.1, 0.9)
"""Probabilities below which a label lies at the edges of the band."""


def prediction_figures(functional: ReducedFunctional, theta: Array) -> dict[str, Figure]:
    """Return the picture ``prediction``. Parallel: collective."""
    dataset = functional.population.dataset
    assert dataset is not None
    network = trained_network(functional, theta)
    law = predictive_law(functional, network)
    size, middle = dataset.back[-1, -1], dataset.shift[-1]
    one = functional.case.moving == 1
    figure = Figure(figsize=(10 if one else 5, 4.4), layout="constrained")
    panels: list[Any] = list(figure.subplots(1, 2 if one else 1, squeeze=False)[0])
    for k, (name, part) in enumerate((("training", dataset.train), ("test", dataset.test))):
        y = middle + size * part.x[-1]
        style = {"color": COLOURS[k], "ms": 4, "mew": 0, "alpha": 0.6, "label": f"{name} samples"}
        panels[-1].plot(y, predicted(network, part.x), "o", **style)
        if one:
            panels[0].plot(part.x[0], y, "o", **style)
    ends = np.array(panels[-1].get_xlim())
    given = np.linspace(law.centres[0], law.centres[-1], 200)
    band: dict[str, Any] = {"color": COLOURS[0], "alpha": 0.15, "lw": 0, "zorder": 0}
    panels[-1].fill_betweenx(given, *law.quantiles(given, BAND).T, **band)
    panels[-1].plot(ends, ends, color="0.5", lw=1, label="prediction = label")
    panels[-1].set(xlabel="label", ylabel="prediction")
    if one:
        x = np.linspace(dataset.train.x[0].min(), dataset.train.x[0].max(), 200)
        given = network.read(network.carry(x[None]))
        panels[0].plot(x, given, color="black", label="prediction")
        name = f"{BAND[0]:.0%} to {BAND[1]:.0%} of the labels"
        panels[0].fill_between(x, *law.quantiles(given, BAND).T, label=name, **band)
        panels[0].set(ylabel=shown(dataset.label or "label"))
        Names(functional).name(panels[0], 0)
    for axes in panels:
        axes.legend()
        axes.grid(alpha=0.3)
    return {"prediction": figure}
