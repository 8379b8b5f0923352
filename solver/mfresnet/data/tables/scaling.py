# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Scaling and principal components as one affine map, from the moments of the features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.linalg import block_diag
from sklearn.preprocessing import RobustScaler

from mfresnet.arrays import Array
from mfresnet.data.tables.moments import Moments
from mfresnet.errors import InputError
from mfresnet.schema import Model

LARGEST_DIMENSION = 3
"""Of the coordinates in which a density lives on a mesh."""
SMALLEST = 1e-150
"""Smallest spread whose square is a number."""
RANK = 1e-10
"""A principal direction with less than this part of the largest spread counts as none."""


class ReduceSection(Model):
    """[data.reduce]: principal components of the scaled features."""

    kind: Literal["pca"] = "pca"
    dimension: Annotated[int, Field(ge=1, le=LARGEST_DIMENSION)] = 2
    whiten: bool = True


@dataclass(frozen=True)
class Coordinates:
    """The map from m features to d coordinates, x = matrix^T (features - shift), and back.

    Attributes:
        shift: see above, (m,).
        matrix: see above, (m, d).
        back: features = shift + back x, (m, d): the plane of the principal components, on which
            the scaled features are nearest to given ones. matrix^T back is the identity.
    """

    shift: Array
    matrix: Array
    back: Array

    def points(self, x: Array) -> Array:
        """Return the points of features x, (n, m) -> (d, n)."""
        return np.ascontiguousarray(((x - self.shift) @ self.matrix).T)

    def moments(self, raw: Moments) -> Moments:
        """Return the moments of the points from those of the features."""
        mean, spread = (
            (raw.mean - self.shift) @ self.matrix,
            self.matrix.T @ raw.spread @ self.matrix,
        )
        return replace(raw, mean=mean, spread=spread)


def _standard(moments: Moments, x: Array) -> tuple[Array, Array]:
    return moments.mean[0], np.sqrt(np.diagonal(moments.covariance()[0]))


def _robust(moments: Moments, x: Array) -> tuple[Array, Array]:
    scaler = RobustScaler().fit(x)
    return scaler.center_, scaler.scale_


SCALERS: dict[str, Callable[[Moments, Array], tuple[Array, Array]]] = {
    "standard": _standard,
    "robust": _robust,
    "none": lambda moments, x: (np.zeros(x.shape[1]), np.ones(x.shape[1])),
}
"""Name -> (moments of all training samples, the kept ones (n, m)) -> shift and scale of each
feature: mean and standard deviation; median and distance of the quartiles; 0 and 1."""


def fit(
    scale: str, reduce: ReduceSection | None, moments: Moments, x: Array, features: Sequence[str]
) -> Coordinates:
    """Return the map of a case to coordinates.

    The principal components are the eigenvectors of the covariance of the scaled features, each
    with its largest entry positive; whitening divides by the standard deviations along them. From
    moments they need no second reading of a table that does not fit into memory. A constant column
    has no part in them.

    Args:
        scale: a name in ``SCALERS``.
        reduce: [data.reduce], or None for the scaled features as they are.
        moments: of all training samples as one class.
        x: the kept training samples, (n, m).
        features: names of the features.

    Raises:
        InputError: a coordinate is constant, or there are too many or too few directions.
    """
    constant = _constant(moments)
    if constant.any() and reduce is None:
        i = int(np.argmax(constant))
        raise InputError(
            f"data.features: a constant column; got {moments.mean[0, i]:g} up to rounding in "
            f"every training row of '{features[i]}', expected values that differ. Leave it out of "
            "data.features."
        )
    m, n = len(constant), int(moments.count[0])
    dimension = m if reduce is None else reduce.dimension
    if dimension > LARGEST_DIMENSION:
        raise InputError(
            f"data.reduce: missing; got {m} features, expected at most {LARGEST_DIMENSION} "
            'without a reduction. Add reduce = { kind = "pca", dimension = 2 }.'
        )
    if dimension > min(m, n - 1):
        raise InputError(
            f"data.reduce.dimension: too large; got {dimension} for {m} features and {n} "
            f"training samples, expected at most {min(m, n - 1)}. Lower it."
        )
    shift, size = SCALERS[scale](moments, x)
    matrix = np.diag(np.divide(1.0, size, out=np.zeros(m), where=~constant))
    if reduce is None:
        return Coordinates(shift, matrix, np.diag(size))
    values, vectors = np.linalg.eigh(matrix @ moments.covariance(bias=False)[0] @ matrix)
    order = np.argsort(values)[::-1]
    along = np.sqrt(np.maximum(values[order], 0.0))
    if along[dimension - 1] <= RANK * along[0]:
        raise InputError(
            f"data.reduce.dimension: more than the data spans; got {dimension}, expected at most "
            f"{int(np.sum(along > RANK * along[0]))}. Lower it."
        )
    components = vectors[:, order[:dimension]]
    largest = components[np.argmax(np.abs(components), axis=0), np.arange(dimension)]
    components = components * np.sign(largest)
    widths = along[:dimension] if reduce.whiten else np.ones(dimension)
    back = size[:, None] * components * widths
    return Coordinates(moments.mean[0], matrix @ components / widths, back)


def _constant(moments: Moments) -> Array:
    """Return which columns do not change, (m,), bool."""
    spread = np.sqrt(np.diagonal(moments.covariance()[0]))
    constant: Array = spread <= 1e-12 * np.abs(moments.mean[0]) + SMALLEST
    return constant


def fit_beside_label(
    scale: str, reduce: ReduceSection | None, moments: Moments, x: Array, features: Sequence[str]
) -> Coordinates:
    """Return the map as ``fit`` does, the last column being a label scaled by itself.

    Raises:
        InputError: as in ``fit``, or there are too many coordinates beside the label.
    """
    mean, spread = moments.mean, moments.spread
    ours = replace(moments, mean=mean[:, :-1], spread=spread[:, :-1, :-1])
    of_label = replace(moments, mean=mean[:, -1:], spread=spread[:, -1:, -1:])
    inside = fit(scale, reduce, ours, x[:, :-1], features[:-1])
    if inside.matrix.shape[1] >= LARGEST_DIMENSION:
        raise InputError(
            "data.reduce: too many coordinates beside the label; got "
            f"{inside.matrix.shape[1]}, expected at most {LARGEST_DIMENSION - 1}. Lower "
            "data.reduce.dimension."
        )
    if _constant(of_label).any():
        raise InputError(
            f"data.label: a constant column; got {mean[0, -1]:g} up to rounding in every "
            f"training row of '{features[-1]}', expected values that differ. Choose another column."
        )
    beside = fit(scale, None, of_label, x[:, -1:], features[-1:])
    return Coordinates(
        np.concatenate([inside.shift, beside.shift]),
        block_diag(inside.matrix, beside.matrix),
        block_diag(inside.back, beside.back),
    )
