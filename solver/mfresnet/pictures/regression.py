# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures of a regression: the predictions against the labels, and over a single coordinate."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional, trained_network
from mfresnet.pictures.language import Names
from mfresnet.pictures.palette import COLOURS, shown
from mfresnet.verification import predicted


def prediction_figures(functional: ReducedFunctional, theta: Array) -> dict[str, Figure]:
    """Return the picture ``prediction``."""
    dataset = functional.population.dataset
    assert dataset is not None
    network = trained_network(functional, theta)
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
    ends = panels[-1].get_xlim()
    panels[-1].plot(ends, ends, color="0.5", lw=1, label="prediction = label")
    panels[-1].set(xlabel="label", ylabel="prediction")
    if one:
        x = np.linspace(dataset.train.x[0].min(), dataset.train.x[0].max(), 200)
        panels[0].plot(x, network.read(network.carry(x[None])), color="black", label="prediction")
        panels[0].set(ylabel=shown(dataset.label or "label"))
        Names(functional).name(panels[0], 0)
    for axes in panels:
        axes.legend()
        axes.grid(alpha=0.3)
    return {"prediction": figure}
