# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Trained controls lie on their closed forms, constant ones and those that change over depth.

The identity network moves Gaussians; J = E 1/2 |x_T - y|^2 + gamma/2 int |theta|^2 unless said:

shift       b alone: b = (y - m0) / (gamma + T)
scale       W alone, centred, y = 0: w = -W0(2 T V0 / gamma) / (2 T), Lambert's function
regression  joint law of x and y of slope beta: (e^w - beta) e^w + gamma w = 0, b = 0
mean        w fixed, the least b that leads the mean to y: b(t) = e^{w(T-t)} (y - e^{wT} m0) / G
turnpike    J = 1/2 int (m - y)^2 + gamma b^2: m - y = (m0 - y) cosh((T-t)/s) / cosh(T/s),
            s^2 = gamma

Run: docker/run python3 cases/studies/closed_forms.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import brentq
from scipy.special import lambertw

from mfresnet.arrays import Array
from mfresnet.case import Case, load, parse
from mfresnet.functional import ReducedFunctional
from mfresnet.network import mean_steering
from mfresnet.optimise import minimise
from mfresnet.pictures import COLOURS, key
from mfresnet.runs import Study, draw_slope, main, slope
from mfresnet.verification import at_most, near

CASES = Path(__file__).parents[1]
GAMMA = 0.1


@dataclass(frozen=True)
class Known:
    """A case with its optimal control.

    Attributes:
        case: (layers) -> the case.
        name: the parameter that is compared.
        control: t -> its closed form.
        value: J in closed form; of the mean, int b^2 dt.
        layers: their numbers, where the control changes over depth and they cost an error of order
            2; none where it is constant.
        quantity: (functional, theta) -> what ``value`` is.
    """

    case: Callable[[int], Case]
    name: str
    control: Callable[[Array], Array]
    value: float
    layers: tuple[int, ...] = ()
    quantity: Callable[[ReducedFunctional, Array], float] = ReducedFunctional.value


# ---------------------------------------------------------------------- constant controls
def from_file(name: str, layers: int) -> Case:
    """Return a case of the project."""
    settings = [f"network.layers={layers}", "training.gradient_tolerance=1e-8", "time.order=4"]
    return load(CASES / f"{name}.toml", settings)


def regression(layers: int) -> Case:
    """Return the joint law of x and y = 2 x + noise, with the head kept at the identity."""
    density = {"kind": "gaussian", "mean": [0.0, 0.0], "covariance": [[1.0, 2.0], [2.0, 5.0]]}
    return parse(
        {
            "task": "regression",
            "mesh": {
                "cells": [3 * layers, 3 * layers + 2],
                "lower": [-12.5, -13.5],
                "upper": [12.5, 13.5],
            },
            "space": {"degree": 3},
            "network": {"activation": "identity", "layers": layers, "trainable": ["W", "b"]},
            "classes": [{"density": density}],
            "penalty": {"tikhonov": GAMMA},
            "initial": {"kind": "values", "W": 0.2, "b": 0.1, "H": 1.0, "h": 0.0},
            "training": {"gradient_tolerance": 1e-8},
        }
    )


# ---------------------------------------------------------------------- controls over depth
W, FAST, DEEP = 0.5, 0.05, 2.0
"""w of the mean, gamma and T of the turnpike."""
WEIGHT = 3e-7
"""The penalty of the mean: so small that it is reached, and the norm is the least."""


def steered(layers: int, **sections: Any) -> Case:
    """Return a case on the line in which b steers the mean of a Gaussian."""
    data: dict[str, Any] = {
        "mesh": {"cell": "interval", "cells": [24], "lower": [-2.0], "upper": [3.5]},
        "space": {"degree": 3},
        "training": {"method": "ntr", "gradient_tolerance": 1e-11},
    }
    network = {"activation": "identity", "layers": layers, "trainable": ["b"]}
    data |= sections | {"network": network | sections.get("network", {})}
    return parse(data)


def mean(layers: int) -> Case:
    """Return the case whose mean is steered from 0.2 to 1."""
    return steered(
        layers,
        classes=[{"density": {"kind": "gaussian", "mean": 0.2, "covariance": 0.04}}],
        loss={"kind": "moments", "mean": 1.0},
        penalty={"tikhonov": WEIGHT},
        initial={"kind": "values", "W": W, "b": 0.0},
    )


def turnpike(layers: int) -> Case:
    """Return the case whose loss runs over depth: the mean hurries to 1.5 and stays there."""
    return steered(
        layers,
        network={"final_time": DEEP},
        classes=[{"density": {"kind": "gaussian", "mean": 0.5, "covariance": 0.09}}],
        loss={"kind": "moments", "mean": 1.5, "terminal": 0.0, "running": 1.0},
        penalty={"tikhonov": FAST},
        initial={"kind": "zero"},
    )


def turnpike_control(t: Array) -> Array:
    """Return b = m' of the turnpike."""
    s = np.sqrt(FAST)
    return np.sinh((DEEP - t) / s) / np.cosh(DEEP / s) / s


def closed_forms() -> dict[str, Known]:
    """Return all cases with their closed forms."""
    w = -float(lambertw(2.0 / GAMMA).real) / 2.0
    c = brentq(lambda c: (np.exp(c) - 2.0) * np.exp(c) + GAMMA * c, 0.0, 1.0, xtol=1e-14)
    least, s = mean_steering(W, 0.2, 1.0), np.sqrt(FAST)
    return {
        "shift": Known(
            lambda layers: from_file("shift_1d", layers),
            "b",
            lambda t: np.full(t.shape, 1.5 / (GAMMA + 1.0)),
            0.02 + GAMMA * 1.5**2 / (2.0 * (GAMMA + 1.0)),
        ),
        "scale": Known(
            lambda layers: from_file("scale_1d", layers),
            "W",
            lambda t: np.full(t.shape, w),
            0.5 * np.exp(2.0 * w) + 0.5 * GAMMA * w**2,
        ),
        "regression": Known(
            regression,
            "W",
            lambda t: np.full(t.shape, c),
            0.5 * ((np.exp(c) - 2.0) ** 2 + 1.0) + 0.5 * GAMMA * c**2,
        ),
        "mean": Known(
            mean,
            "b",
            lambda t: least.b(t)[:, 0],
            least.squared_norm,
            (16, 32, 64),
            lambda functional, theta: functional.penalty(theta) / (0.5 * WEIGHT),
        ),
        "turnpike": Known(
            turnpike, "b", turnpike_control, 0.5 * s * float(np.tanh(DEEP / s)), (32, 64, 128)
        ),
    }


def study(size: str = "full") -> Study:
    """Train all cases on several numbers of layers and compare."""
    full = size == "full"
    columns: dict[str, list[Any]] = {
        n: [] for n in ("case", "layers", "error of the control", "value", "closed form")
    }
    findings = []
    drawn: dict[str, list[Array]] = {}
    for name, known in closed_forms().items():
        counts = (known.layers if full else known.layers[:2]) or (8 if full else 6,)
        errors, values = [], []
        for layers in counts:
            functional = ReducedFunctional(known.case(layers))
            theta = minimise(functional).theta
            dt = functional.controls.layer_time
            t = (np.arange(layers) + 0.5) * dt
            found = functional.controls.from_vector(theta).values[known.name].reshape(layers)
            drawn.setdefault(name, [np.linspace(0.0, layers * dt, layers + 1)]).append(found)
            errors.append(float(np.abs(found - known.control(t)).max()))
            values.append(known.quantity(functional, theta))
            row = (name, layers, errors[-1], values[-1], known.value)
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
        if known.layers:
            tolerance, gaps = (0.1 if full else 0.15), np.abs(np.array(values) - known.value)
            findings += [
                near(f"{name}: order in 1/L", -slope(counts, errors), 2.0, tolerance),
                near(f"{name}: order of the value", -slope(counts, gaps), 2.0, tolerance),
            ]
        else:
            findings.append(at_most(f"{name}: error of the control", errors[-1], 1e-4))
            apart = abs(values[-1] / known.value - 1.0)
            findings.append(at_most(f"{name}: error of J over J", apart, 1e-5))
    return Study("Closed forms", __doc__, columns, tuple(findings), _figure(drawn, columns))


def _figure(drawn: dict[str, list[Array]], columns: dict[str, list[Any]]) -> Figure:
    """Draw controls on the least number of layers as steps over their closed forms; and errors.

    Args:
        drawn: case -> edges of the least number of layers, controls there and on more layers.
        columns: the table.
    """
    figure = Figure(figsize=(13.5, 4.0), layout="constrained")
    constant, *others, right = figure.subplots(1, 4)
    places = iter(others)
    for k, (name, known) in enumerate(closed_forms().items()):
        edges, found = drawn[name][:2]
        axes = next(places) if known.layers else constant
        axes.stairs(found, edges, baseline=None, color=COLOURS[k], lw=2.2)
        t = np.linspace(0.0, edges[-1], 201)
        axes.plot(t, known.control(t), "--", color="black", lw=1.1)
        if not known.layers:
            text = f"{name}, ${known.name.lower()}$"
            axes.annotate(text, (0.03, found[0]), xytext=(0, 5), textcoords="offset points")
            axes.set(title="constant", ylabel="control")
        else:
            axes.set(title=f"{name}, {len(found)} layers", ylabel=f"${known.name.lower()}(t)$")
        axes.set(xlabel="depth $t$")
        axes.grid(alpha=0.25)
        layers, errors = np.array(
            [(n, e) for c, n, e in zip(*list(columns.values())[:3], strict=True) if c == name]
        ).T
        right.loglog(layers, errors, "o-", color=COLOURS[k])
        right.annotate(name, (layers[-1], errors[-1]), xytext=(7, 0), va="center", color=COLOURS[k],
                       textcoords="offset points")  # fmt: skip
    constant.plot([], [], color="0.5", lw=2.2, label="trained layers")
    constant.plot([], [], "--", color="black", lw=1.1, label="closed form")
    constant.set_ylim(-1.4, 1.7)
    draw_slope(right, layers, 2.0 * errors, "-2")
    right.minorticks_off()
    right.set(xlabel="layers", title="largest error of the control", xlim=(5.0, 900.0))
    right.set_xticks(ticks := [8, 16, 32, 64, 128], [str(n) for n in ticks])
    right.grid(alpha=0.25)
    key(figure)
    return figure


if __name__ == "__main__":
    main(study)
