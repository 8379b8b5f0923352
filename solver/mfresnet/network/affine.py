# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Exact controls of linear networks, v = W x + b: an affine map, or a Gaussian, reached at T.

A linear network moves the points by affine maps x -> M x + c with det M > 0, and by all of them, so
that a Gaussian stays one. The controls are exact for the continuous network; on a mesh the density
reaches its target up to the error of the scheme. NumPy only.

>>> from mfresnet.network.affine import affine_control, gaussian_control
>>> controls = gaussian_control(
...     [-1.0, 0.0], [[0.25, 0.0], [0.0, 0.09]], [1.0, 0.5], [[0.16, 0.06], [0.06, 0.25]]
... )
>>> controls.W[0].round(6)
array([[-0.246143,  0.149805],
       [ 0.149805,  0.486669]])

The map x -> -x turns the plane by pi; on the line no network has it:

>>> abs(affine_control([[-1.0, 0.0], [0.0, -1.0]], [0.0, 0.0]).W[0]).round(6)
array([[0.      , 3.141593],
       [3.141593, 0.      ]])
>>> affine_control(-1.0, 0.0)
Traceback (most recent call last):
mfresnet.errors.InputError: matrix: no real logarithm; got eigenvalues -1, expected none ...
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import expm, logm, polar

from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.network.controls import Controls

EXACT = 1e-8
"""Relative distance of exp(log M) from M above which the logarithm counts as not there."""
SINGULAR = 1e14
"""Condition number from which a matrix counts as singular."""


def real_logarithm(matrix: ArrayLike) -> Array:
    """Return the real matrix L with exp(L) = matrix and the least rotation, (d, d).

    The principal logarithm where no eigenvalue is negative; equal negative eigenvalues are taken
    in pairs, each a turn by pi in the plane of their two eigenvectors.

    Raises:
        InputError: there is none: an eigenvalue is zero, or the negative ones are not in pairs.
    """
    m = square("matrix", matrix)
    values, vectors = np.linalg.eig(m)
    negative = np.flatnonzero((values.imag == 0.0) & (values.real < 0.0))
    result = np.full(m.shape, np.nan)
    if np.abs(values).min() > np.abs(values).max() / SINGULAR:
        if not negative.size:
            result = np.asarray(logm(m))
        elif negative.size % 2 == 0 and np.linalg.cond(vectors) < SINGULAR:
            pairs = negative[np.argsort(values[negative].real)].reshape(-1, 2)
            rates = np.diag(np.log(values.astype(complex)))
            for i, j in pairs:
                rates[i, i] = rates[j, j] = 0.5 * np.log(values[i] * values[j])
                rates[i, j], rates[j, i] = -np.pi, np.pi
            result = vectors @ rates @ np.linalg.inv(vectors)
        result = result.real
        gap = np.linalg.norm(expm(result) - m) if np.isfinite(result).all() else np.inf
        if gap <= EXACT * np.linalg.norm(m):
            return result
    shown = ", ".join(f"{v:.4g}" for v in np.real_if_close(values))
    raise InputError(
        f"matrix: no real logarithm; got eigenvalues {shown}, expected none that is zero and "
        "negative ones in equal pairs only. Use polar_control when the determinant is positive; "
        "no linear network reaches the others."
    )


def affine_control(matrix: ArrayLike, shift: ArrayLike, final_time: float = 1.0) -> Controls:
    """Return constant W, b with which v = W x + b carries x to matrix x + shift in [0, T].

    W = log(matrix)/T and b = (int_0^T e^{Ws} ds)^{-1} shift.

    Args:
        matrix: M, (d, d).
        shift: c, (d,).
        final_time: T.

    Returns:
        Controls of one layer; ``prolong`` makes more of it.

    Raises:
        InputError: M has no real logarithm.
    """
    positive("final_time", final_time)
    m = square("matrix", matrix)
    c = vector("shift", shift, len(m))
    w = real_logarithm(m) / final_time
    return Controls({"W": w[None], "b": np.linalg.solve(growth(w, final_time)[1], c)[None]})


def polar_control(matrix: ArrayLike, shift: ArrayLike, final_time: float = 1.0) -> Controls:
    """Return W, b of two layers for any map x -> matrix x + shift of positive determinant.

    M = Q S with S symmetric positive definite and Q a rotation: both have a real logarithm, so
    that every affine map of positive determinant is the flow of a linear network.

    Args:
        matrix: M, (d, d).
        shift: c, (d,).
        final_time: T.

    Raises:
        InputError: the determinant is not positive.
    """
    m = square("matrix", matrix)
    if not np.linalg.det(m) > 0.0:
        raise InputError(
            f"matrix: not the flow of a linear network; got determinant {np.linalg.det(m):.4g}, "
            "expected a positive one. Choose a map that mirrors nothing."
        )
    rotation, stretch = polar(m)
    first = affine_control(stretch, np.zeros(len(m)), 0.5 * final_time)
    second = affine_control(rotation, shift, 0.5 * final_time)
    return Controls({n: np.concatenate([first.values[n], second.values[n]]) for n in ("W", "b")})


def gaussian_control(
    mean0: ArrayLike,
    covariance0: ArrayLike,
    mean1: ArrayLike,
    covariance1: ArrayLike,
    final_time: float = 1.0,
) -> Controls:
    """Return constant W, b that carry N(mean0, covariance0) to N(mean1, covariance1) in [0, T].

    By the optimal map M = C0^{-1/2} (C0^{1/2} C1 C0^{1/2})^{1/2} C0^{-1/2}, which is symmetric and
    positive definite, and the shift m1 - M m0; see ``affine_control``.

    Args:
        mean0: m0, (d,).
        covariance0: C0, (d, d).
        mean1: m1, (d,).
        covariance1: C1, (d, d).
        final_time: T.

    Raises:
        InputError: a covariance is not symmetric and positive definite, or the shapes differ.
    """
    c0 = covariance("covariance0", covariance0)
    c1 = covariance("covariance1", covariance1)
    if c0.shape != c1.shape:
        raise InputError(
            f"covariance1: wrong shape; got {c1.shape}, expected {c0.shape} as covariance0. "
            "Give both for the same directions."
        )
    m0, m1 = vector("mean0", mean0, len(c0)), vector("mean1", mean1, len(c0))
    root = _root(c0)
    inverse = np.linalg.inv(root)
    matrix = inverse @ _root(root @ c1 @ root) @ inverse
    return affine_control(matrix, m1 - matrix @ m0, final_time)


def growth(w: Array, time: float) -> tuple[Array, Array]:
    """Return e^{W time} and int_0^time e^{Ws} ds, from one exponential of twice the size."""
    d = len(w)
    both = np.zeros((2 * d, 2 * d))
    both[:d, :d], both[:d, d:] = w * time, time * np.eye(d)
    result = expm(both)
    return result[:d, :d], result[:d, d:]


# ---------------------------------------------------------------------- what is given
def _root(matrix: Array) -> Array:
    """Return the symmetric square root of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values)) @ vectors.T


def square(where: str, given: ArrayLike) -> Array:
    """Return what is given as a matrix (d, d); a number is one for d = 1."""
    m = np.atleast_2d(np.asarray(given, dtype=float))
    if m.ndim != 2 or m.shape[0] != m.shape[1] or not np.isfinite(m).all():
        raise InputError(
            f"{where}: not a square matrix of finite numbers; got shape {m.shape}, expected "
            "(d, d). Give as many rows as columns."
        )
    return m


def covariance(where: str, given: ArrayLike) -> Array:
    """Return what is given as a symmetric positive definite matrix."""
    c = square(where, given)
    if not np.allclose(c, c.T) or np.linalg.eigvalsh(c).min() <= 0.0:
        raise InputError(
            f"{where}: not a covariance; got {c.tolist()}, expected a symmetric matrix with "
            "positive eigenvalues. Give a variance above zero to every direction."
        )
    return 0.5 * (c + c.T)


def vector(where: str, given: ArrayLike, d: int | None = None) -> Array:
    """Return what is given as a vector (d,)."""
    v = np.atleast_1d(np.asarray(given, dtype=float))
    if v.ndim != 1 or (d is not None and len(v) != d) or not np.isfinite(v).all():
        raise InputError(
            f"{where}: not a vector; got shape {v.shape}, expected {d or 'd'} finite numbers. "
            "Give one for each direction."
        )
    return v


def positive(where: str, given: float) -> None:
    """Refuse a number that is not positive and finite."""
    if not 0.0 < given < np.inf:
        raise InputError(
            f"{where}: wrong value; got {given}, expected a positive number. Give one above zero."
        )
