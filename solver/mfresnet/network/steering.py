# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Steering the mean of a linear network, v = W x + b, with the least bias; controls into a case.

A bias that is the same for all points moves the mean alone, and W fixed moves it by a linear
system. NumPy only.

The least bias that moves a mean from 0.2 to 1 in the field 0.5 x + b:

>>> import numpy as np
>>> from mfresnet.network.steering import as_initial, mean_control, mean_steering
>>> f"{mean_steering(0.5, 0.2, 1.0).squared_norm:.12f}"
'0.261448824877'
>>> controls = mean_control(0.5, 0.2, 1.0, layers=10)
>>> f"{np.sum(controls.b**2) / 10:.6f}"
'0.261503'

To start a case there, here with a single layer:

>>> as_initial(mean_control(0.5, 0.2, 1.0, layers=1))["kind"]
'values'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.network.affine import SINGULAR, growth, positive, vector
from mfresnet.network.controls import Controls

TOLERANCE = 1e-12
"""Of the integration where W depends on t."""


@dataclass(frozen=True)
class MeanSteering:
    """The least bias that steers a mean.

    Attributes:
        b: t, (n,) -> b(t), (n, d).
        squared_norm: int_0^T |b|^2 dt.
    """

    b: Callable[[Array], Array]
    squared_norm: float


def mean_steering(
    w: ArrayLike | Callable[[float], ArrayLike],
    mean0: ArrayLike,
    mean1: ArrayLike,
    final_time: float = 1.0,
) -> MeanSteering:
    """Return the bias of least int |b|^2 dt with which m' = W m + b leads from mean0 to mean1.

    By duality (Hilbert's uniqueness method), with the transition P(t) from t to T:

        b(t) = P(t)^T G^{-1} (m1 - P(0) m0),   G = int_0^T P P^T dt,   -P' = P W, P(T) = 1.

    Args:
        w: W: (d, d), a number for d = 1, one for each of equal layers (layers, d, d), or a function
            of t.
        mean0: m0, (d,).
        mean1: m1, (d,).
        final_time: T.

    Raises:
        InputError: something that is given has a wrong shape or value.
    """
    positive("final_time", final_time)
    m0 = vector("mean0", mean0)
    d = len(m0)
    m1 = vector("mean1", mean1, d)
    if callable(w):
        transition, gramian = _integrated(w, d, final_time)
    else:
        transition, gramian = _composed(_layers("w", w, d), final_time)
    rest = m1 - transition(np.zeros(1))[0] @ m0
    multiplier = np.linalg.solve(gramian, rest)

    def b(t: Array) -> Array:
        return np.einsum("tij,i->tj", transition(np.atleast_1d(np.asarray(t, float))), multiplier)

    return MeanSteering(b, float(rest @ multiplier))


def mean_control(
    w: ArrayLike | Callable[[float], ArrayLike],
    mean0: ArrayLike,
    mean1: ArrayLike,
    final_time: float = 1.0,
    layers: int = 10,
) -> Controls:
    """Return W and the b of least sum dt |b_l|^2 that steers the mean, constant in every layer.

    With G_l = P_{l+1} int_0^dt e^{W_l s} ds, the answer of the mean at T to the bias of layer l:

        b_l = G_l^T / dt (sum_k G_k G_k^T / dt)^{-1} (m1 - P_0 m0).

    It is exact for this number of layers and tends to ``mean_steering`` with order 2 in 1/layers.

    Args:
        w: W: (d, d), a number for d = 1, (layers, d, d), or a function of t, taken in the middles
            of layers.
        mean0: m0, (d,).
        mean1: m1, (d,).
        final_time: T.
        layers: number of layers L.

    Raises:
        InputError: no bias that is constant in the layers reaches the mean, or something that is
            given has a wrong shape or value.
    """
    positive("final_time", final_time)
    positive("layers", layers)
    m0 = vector("mean0", mean0)
    d = len(m0)
    m1, dt = vector("mean1", mean1, d), final_time / layers
    given = [w((i + 0.5) * dt) for i in range(layers)] if callable(w) else w
    matrices = _layers("w", given, d)
    if layers % len(matrices):
        raise InputError(
            f"w: wrong number of matrices; got {len(matrices)}, expected a divisor of {layers}. "
            "Change layers."
        )
    matrices = np.repeat(matrices, layers // len(matrices), axis=0)
    answers, after = np.empty_like(matrices), np.eye(d)
    for layer in reversed(range(layers)):
        grow, integral = growth(matrices[layer], dt)
        answers[layer], after = after @ integral, after @ grow
    gramian = np.einsum("lij,lkj->ik", answers, answers) / dt
    if np.linalg.eigvalsh(gramian).min() < final_time / SINGULAR:
        raise InputError(
            f"w: a bias that is constant in every layer does not move the mean everywhere; got "
            f"{layers} layers in each of which W turns it back, expected more. Raise layers."
        )
    multiplier = np.linalg.solve(gramian, m1 - after @ m0)
    return Controls({"W": matrices, "b": np.einsum("lij,i->lj", answers, multiplier) / dt})


# ---------------------------------------------------------------------- into a case
def as_initial(controls: Controls, file: str | Path | None = None) -> dict[str, Any]:
    """Return the section [initial] of a case that starts at given controls.

    ``ReducedFunctional.start_from`` and ``ControlSpace.to_vector`` take them without a case.

    Args:
        controls: the controls; those of a head are kept in the file.
        file: where to write them, as a controls.npz; needed when the layers differ. The network
            may have a multiple of their layers.

    Raises:
        InputError: the layers differ and there is no file.
    """
    if file is not None:
        path = Path(file)
        if path.suffix != ".npz":
            path = path.with_name(path.name + ".npz")
        arrays: dict[str, Any] = {name: np.asarray(v) for name, v in controls.values.items()}
        np.savez(path, **arrays)
        return {"kind": "file", "file": str(path)}
    for name, value in controls.values.items():
        if name not in controls.head and not np.array_equal(
            value, np.broadcast_to(value[:1], value.shape)
        ):
            raise InputError(
                f"file: missing; got {name} that differs between layers, expected a file to write "
                "the controls to. Give one."
            )
    one = controls.layer(0) | controls.of_head()
    return {"kind": "values"} | {name: np.asarray(value).tolist() for name, value in one.items()}


# ---------------------------------------------------------------------- linear systems
def _composed(layers: Array, final_time: float) -> tuple[Callable[[Array], Array], Array]:
    """Return t -> P(t), (n, d, d), and G for W that is constant in each of equal layers."""
    count, d = layers.shape[:2]
    dt = final_time / count
    after, gramian = np.empty((count + 1, d, d)), np.zeros((d, d))
    after[count] = np.eye(d)
    for layer in reversed(range(count)):
        w = layers[layer]
        # Van Loan: e^{W dt} and int e^{Ws} (e^{Ws})^T ds from one exponential
        both = expm(dt * np.block([[-w, np.eye(d)], [np.zeros((d, d)), w.T]]))
        grow = both[d:, d:].T
        gramian += after[layer + 1] @ grow @ both[:d, d:] @ after[layer + 1].T
        after[layer] = after[layer + 1] @ grow

    def transition(t: Array) -> Array:
        number = np.clip((t / dt).astype(int), 0, count - 1)
        rest = (number + 1) * dt - t
        return np.array(
            [after[n + 1] @ expm(layers[n] * s) for n, s in zip(number, rest, strict=True)]
        )

    return transition, gramian


def _integrated(
    w: Callable[[float], ArrayLike], d: int, final_time: float
) -> tuple[Callable[[Array], Array], Array]:
    """Return the same for W that depends on t, integrated backward from T."""

    def slope(s: float, y: Array) -> Array:
        p = y[: d * d].reshape(d, d)
        matrix = _layers("w", w(final_time - s), d)[0]
        return np.concatenate([(p @ matrix).ravel(), (p @ p.T).ravel()])

    start = np.concatenate([np.eye(d).ravel(), np.zeros(d * d)])
    options = {"method": "DOP853", "rtol": TOLERANCE, "atol": TOLERANCE, "dense_output": True}
    found = solve_ivp(slope, (0.0, final_time), start, **options)

    def transition(t: Array) -> Array:
        return found.sol(final_time - t)[: d * d].T.reshape(-1, d, d)

    return transition, found.y[d * d :, -1].reshape(d, d)


def _layers(where: str, given: Any, d: int) -> Array:
    """Return (layers, d, d) of a matrix or one for each layer; in 1-D of numbers."""
    w = np.asarray(given, dtype=float)
    if w.ndim > 1 or d == 1:
        w = w.reshape(-1, 1, 1) if d == 1 and w.ndim < 2 else w.reshape(-1, *w.shape[-2:])
    if w.shape[1:] != (d, d):
        raise InputError(
            f"{where}: wrong shape; got {np.shape(given)}, expected ({d}, {d}) or (layers, {d}, "
            f"{d}). Give a matrix for all layers or one for each."
        )
    return w
