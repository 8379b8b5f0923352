# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Heads: from points at T to scores, classes and probabilities. NumPy only.

A head is one row of ``HEADS``; its parameters have other names than those of the blocks. A loss
with a trainable head brings the parameters. Without one the class is that of the nearest target,
which is a linear head as well: |x - y_k|^2 is least where y_k . x - |y_k|^2 / 2 is largest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from mfresnet.arrays import Array

Parameters = Mapping[str, Array]
LINEAR = "linear"
"""The head that decides by the nearest of the targets."""


@dataclass(frozen=True)
class Head:
    """One kind of head: z(x; parameters), one score a class; points are columns, (d, n).

    Attributes:
        shapes: (d, classes) -> shape of each parameter.
        scores: (x, parameters) -> z, (classes, n): the class of a point is the largest.
        vjp: (x, parameters, g) -> sum over points of g . dz/dparameter, per parameter.
        jvp: (x, parameters, h) -> dz/dparameters [h], (classes, n).
        push: (x, parameters, dx) -> dz/dx [dx], (classes, n).
        pull: (x, parameters, g) -> (dz/dx)^T g, (d, n).
        second: (x, parameters, g, dx, h) -> change of ``pull`` and of ``vjp`` along a change dx of
            the points and h of the parameters, at fixed g.
        scaled: (parameters, size, middle) -> those with the scores size * z + middle.
        torch: z as a PyTorch expression of points x as rows, (n, d), and the parameters by their
            names, for the export.
        slope: name of the parameter that is dz/dx, (classes, d), where z is affine in x;
            empty for other heads.
    """

    shapes: Callable[[int, int], dict[str, tuple[int, ...]]]
    scores: Callable[[Array, Parameters], Array]
    vjp: Callable[[Array, Parameters, Array], dict[str, Array]]
    jvp: Callable[[Array, Parameters, Parameters], Array]
    push: Callable[[Array, Parameters, Array], Array]
    pull: Callable[[Array, Parameters, Array], Array]
    second: Callable[[Array, Parameters, Array, Array, Parameters], tuple[Array, dict[str, Array]]]
    scaled: Callable[[Parameters, float, float], dict[str, Array]]
    torch: str
    slope: str = ""

    def names(self) -> tuple[str, ...]:
        """Return the names of the parameters."""
        return tuple(self.shapes(1, 1))


def _linear(x: Array, head: Parameters) -> Array:
    """Return z = H x + h, H (classes, d), h (classes,)."""
    return head["H"] @ x + head["h"][:, None]


HEADS: dict[str, Head] = {
    LINEAR: Head(
        shapes=lambda d, n_classes: {"H": (n_classes, d), "h": (n_classes,)},
        scores=_linear,
        vjp=lambda x, head, g: {"H": g @ x.T, "h": g.sum(axis=1)},
        jvp=lambda x, head, h: _linear(x, h),
        push=lambda x, head, dx: head["H"] @ dx,
        pull=lambda x, head, g: head["H"].T @ g,
        second=lambda x, head, g, dx, h: (
            h["H"].T @ g,
            {"H": g @ dx.T, "h": np.zeros_like(head["h"])},
        ),
        scaled=lambda head, size, middle: {
            "H": size * head["H"],
            "h": size * head["h"] + middle,
        },
        torch="x @ H.T + h",
        slope="H",
    ),
}
"""Name -> head."""


def decide(scores: Array) -> Array:
    """Return the number of the class of points with scores (classes, n) -> (n,)."""
    return np.argmax(scores, axis=0)


def probabilities(scores: Array) -> Array:
    """Return softmax(z), (classes, n) -> (classes, n)."""
    return softmax(scores, axis=0)


def head_of_targets(targets: Array) -> dict[str, Array]:
    """Return the linear head that decides by the nearest of the targets, (classes, d)."""
    return {"H": np.array(targets), "h": -0.5 * np.sum(targets**2, axis=1)}
