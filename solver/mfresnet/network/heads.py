# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Heads: from points at T to scores, classes and probabilities. NumPy only.

A head is one row of ``HEADS``; its parameters have other names than those of the blocks. A loss
with a trainable head brings the parameters. Without one the class is that of the nearest target,
which is a linear head as well: |x - y_k|^2 is least where y_k . x - |y_k|^2 / 2 is largest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy.special import softmax

from mfresnet.arrays import Array

Parameters = Mapping[str, Array]
LINEAR = "linear"
"""The head that decides by the nearest of the targets."""
STEEP, RIDGE = 2.0, 1e-4
"""Slope of a unit at first times the standard deviation of a coordinate; penalty on its height."""
Clusters = Sequence[tuple[Array, Array]]
"""Class by class, the centres (d, size) and the masses (size,) of its clusters."""


@dataclass(frozen=True)
class Head:
    """One kind of head: z(x; parameters), one score a class; points are columns, (d, n).

    Attributes:
        shapes: (d, classes, size) -> shape of each parameter; the size says how many pieces the
            head has for each class, 1 where there is no choice.
        scores: (x, parameters) -> z, (classes, n): the class of a point is the largest.
        vjp: (x, parameters, g) -> sum over points of g . dz/dparameter, per parameter.
        jvp: (x, parameters, h) -> dz/dparameters [h], (classes, n).
        push: (x, parameters, dx) -> dz/dx [dx], (classes, n).
        pull: (x, parameters, g) -> (dz/dx)^T g, (d, n).
        second: (x, parameters, g, dx, h) -> change of ``pull`` and of ``vjp`` along a change dx of
            the points and h of the parameters, at fixed g.
        scaled: (parameters, size, middle) -> those with the scores size * z + middle; None where
            the scores are no numbers to predict.
        torch: z as a PyTorch expression of points x as rows, (n, d), and the parameters by their
            names, for the export.
        slope: name of the parameter that is dz/dx, (classes, d), where z is affine in x;
            empty for other heads.
        sized: name of the parameter whose axis 1 has the size; empty where there is no choice.
        usual: the size where none is given.
        start: ([per class: centres, masses], spread) -> initial parameters from clusters of the
            classes, each (d, size) and (size,), and their mean variance; None: those of [initial].
        fitted: (x, y, w, size, seed) -> initial parameters for numbers y of points of masses w.
    """

    shapes: Callable[[int, int, int], dict[str, tuple[int, ...]]]
    scores: Callable[[Array, Parameters], Array]
    vjp: Callable[[Array, Parameters, Array], dict[str, Array]]
    jvp: Callable[[Array, Parameters, Parameters], Array]
    push: Callable[[Array, Parameters, Array], Array]
    pull: Callable[[Array, Parameters, Array], Array]
    second: Callable[[Array, Parameters, Array, Array, Parameters], tuple[Array, dict[str, Array]]]
    scaled: Callable[[Parameters, float, float], dict[str, Array]] | None
    torch: str
    slope: str = ""
    sized: str = ""
    usual: int = 1
    start: Callable[[Clusters, float], dict[str, Array]] | None = None
    fitted: Callable[[Array, Array, Array, int, int], dict[str, Array]] | None = None

    def names(self) -> tuple[str, ...]:
        """Return the names of the parameters."""
        return tuple(self.shapes(1, 1, 1))

    def size(self, head: Parameters) -> int:
        """Return the size that given parameters have."""
        array = head.get(self.sized)
        return 1 if array is None or array.ndim < 2 else array.shape[1]


def _linear(x: Array, head: Parameters) -> Array:
    """Return z = H x + h, H (classes, d), h (classes,)."""
    return head["H"] @ x + head["h"][:, None]


# ---------------------------------------------------------------------- prototypes
def _near(x: Array, head: Parameters) -> list[Array]:
    """Return u_m = P_m x + q_m of every prototype m, (classes, n) each."""
    pieces, offsets = head["P"], head["q"]
    return [pieces[:, m] @ x + offsets[:, m][:, None] for m in range(pieces.shape[1])]


def _prototypes(x: Array, head: Parameters) -> Array:
    """Return z_k = log sum_m exp(P_km . x + q_km), P (classes, m, d), q (classes, m).

    With P = p / s^2 and q = log w - |p|^2 / (2 s^2) the softmax of z is that of
    log sum_m w_km exp(-|x - p_km|^2 / (2 s^2)): the term in |x|^2 is the same for all classes.
    """
    return reduce(np.logaddexp, _near(x, head))


def _shares(x: Array, head: Parameters) -> list[Array]:
    """Return r_m = exp(u_m - z), the share of each prototype in its class, (classes, n)."""
    near = _near(x, head)
    z = reduce(np.logaddexp, near)
    return [np.exp(u - z) for u in near]


def _prototypes_vjp(x: Array, head: Parameters, g: Array) -> dict[str, Array]:
    shared = [g * r for r in _shares(x, head)]
    return {
        "P": np.stack([s @ x.T for s in shared], axis=1),
        "q": np.stack([s.sum(axis=1) for s in shared], axis=1),
    }


def _prototypes_jvp(x: Array, head: Parameters, h: Parameters) -> Array:
    pairs = zip(_shares(x, head), _near(x, h), strict=True)
    return np.sum([r * du for r, du in pairs], axis=0)


def _prototypes_push(x: Array, head: Parameters, dx: Array) -> Array:
    shares = _shares(x, head)
    return np.sum([r * (head["P"][:, m] @ dx) for m, r in enumerate(shares)], axis=0)


def _prototypes_pull(x: Array, head: Parameters, g: Array) -> Array:
    shares = _shares(x, head)
    return np.sum([head["P"][:, m].T @ (g * r) for m, r in enumerate(shares)], axis=0)


def _prototypes_second(
    x: Array, head: Parameters, g: Array, dx: Array, h: Parameters
) -> tuple[Array, dict[str, Array]]:
    shares, moved = _shares(x, head), _near(x, h)
    changes = [du + head["P"][:, m] @ dx for m, du in enumerate(moved)]
    mean = np.sum([r * du for r, du in zip(shares, changes, strict=True)], axis=0)
    s = [g * r for r in shares]
    ds = [g * r * (du - mean) for r, du in zip(shares, changes, strict=True)]
    pulled = [head["P"][:, m].T @ ds[m] + h["P"][:, m].T @ s[m] for m in range(len(s))]
    parts = {
        "P": np.stack([b @ x.T + a @ dx.T for a, b in zip(s, ds, strict=True)], axis=1),
        "q": np.stack([b.sum(axis=1) for b in ds], axis=1),
    }
    return np.sum(pulled, axis=0), parts


def _at_clusters(clusters: Clusters, spread: float) -> dict[str, Array]:
    """Return prototypes at the centres, with the masses as their weights."""
    pieces = np.stack([centres.T for centres, _ in clusters]) / spread
    offsets = [
        np.log(masses) - 0.5 * np.sum(centres**2, axis=0) / spread for centres, masses in clusters
    ]
    return {"P": pieces, "q": np.stack(offsets)}


# ---------------------------------------------------------------------- units
def _hidden(x: Array, head: Parameters) -> Array:
    """Return s = tanh(U x + u), U (size, d), u (size,)."""
    return np.tanh(head["U"] @ x + head["u"][:, None])


def _units(x: Array, head: Parameters) -> Array:
    """Return z = H x + A tanh(U x + u) + h, A (classes, size)."""
    return _linear(x, head) + head["A"] @ _hidden(x, head)


def _units_vjp(x: Array, head: Parameters, g: Array) -> dict[str, Array]:
    s = _hidden(x, head)
    e = (head["A"].T @ g) * (1.0 - s * s)
    inner = {"U": e @ x.T, "u": e.sum(axis=1)}
    return {"H": g @ x.T, "h": g.sum(axis=1), "A": g @ s.T, **inner}


def _units_jvp(x: Array, head: Parameters, h: Parameters) -> Array:
    s = _hidden(x, head)
    ds = (1.0 - s * s) * (h["U"] @ x + h["u"][:, None])
    return _linear(x, h) + h["A"] @ s + head["A"] @ ds


def _units_push(x: Array, head: Parameters, dx: Array) -> Array:
    s = _hidden(x, head)
    return head["H"] @ dx + head["A"] @ ((1.0 - s * s) * (head["U"] @ dx))


def _units_pull(x: Array, head: Parameters, g: Array) -> Array:
    s = _hidden(x, head)
    return head["H"].T @ g + head["U"].T @ ((head["A"].T @ g) * (1.0 - s * s))


def _units_second(
    x: Array, head: Parameters, g: Array, dx: Array, h: Parameters
) -> tuple[Array, dict[str, Array]]:
    s, ag = _hidden(x, head), head["A"].T @ g
    slope = 1.0 - s * s
    ds = slope * (head["U"] @ dx + h["U"] @ x + h["u"][:, None])
    e, de = ag * slope, (h["A"].T @ g) * slope - 2.0 * ag * s * ds
    parts = {
        "H": g @ dx.T,
        "h": np.zeros_like(head["h"]),
        "A": g @ ds.T,
        "U": de @ x.T + e @ dx.T,
        "u": de.sum(axis=1),
    }
    return h["H"].T @ g + h["U"].T @ e + head["U"].T @ de, parts


def _fitted_units(x: Array, y: Array, w: Array, size: int, seed: int) -> dict[str, Array]:
    """Return units that bend at random points in random directions, and the best H, A, h for y."""
    rng = np.random.default_rng(seed)
    d, n = x.shape
    share = w / w.sum()
    spread = np.sqrt(share @ np.sum((x - (x @ share)[:, None]) ** 2, axis=0) / d)
    normals = rng.standard_normal((size, d))
    slopes = STEEP / spread * normals / np.linalg.norm(normals, axis=1)[:, None]
    bends = x[:, rng.choice(n, size, p=share)]
    head = {"U": slopes, "u": -np.sum(slopes * bends.T, axis=1)}
    basis = np.concatenate([x, _hidden(x, head), np.ones((1, n))])
    normal = (basis * share) @ basis.T + RIDGE * np.eye(len(basis))
    best = np.linalg.solve(normal, basis @ (share * y))
    return {"H": best[None, :d], "A": best[None, d:-1], "h": best[-1:], **head}


HEADS: dict[str, Head] = {
    LINEAR: Head(
        shapes=lambda d, n_classes, size: {"H": (n_classes, d), "h": (n_classes,)},
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
    "prototypes": Head(
        shapes=lambda d, n_classes, size: {"P": (n_classes, size, d), "q": (n_classes, size)},
        scores=_prototypes,
        vjp=_prototypes_vjp,
        jvp=_prototypes_jvp,
        push=_prototypes_push,
        pull=_prototypes_pull,
        second=_prototypes_second,
        scaled=None,
        torch="(torch.einsum('nd,kmd->nkm', x, P) + q).logsumexp(dim=2)",
        sized="P",
        usual=4,
        start=_at_clusters,
    ),
    "units": Head(
        shapes=lambda d, n_classes, size: {
            "H": (n_classes, d),
            "h": (n_classes,),
            "A": (n_classes, size),
            "U": (size, d),
            "u": (size,),
        },
        scores=_units,
        vjp=_units_vjp,
        jvp=_units_jvp,
        push=_units_push,
        pull=_units_pull,
        second=_units_second,
        scaled=lambda head, size, middle: {
            **head,
            "H": size * head["H"],
            "A": size * head["A"],
            "h": size * head["h"] + middle,
        },
        torch="x @ H.T + torch.tanh(x @ U.T + u) @ A.T + h",
        sized="A",
        usual=16,
        fitted=_fitted_units,
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
