# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Pictures of a network on its samples, beside those of every run: task -> which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional
from mfresnet.pictures.raster import Raster
from mfresnet.pictures.regression import prediction_figures
from mfresnet.pictures.samples import class_figures
from mfresnet.pictures.steering import steering_figures

Figures = dict[str, Figure]


@dataclass(frozen=True)
class Pictures:
    """Pictures of a task.

    Attributes:
        shared: (J, controls) -> name -> figure, in every dimension; collective.
        samples: the same on rank 0, where there are samples.
        flat: on rank 0, (J, controls, the points, the density of the samples at them where that is
            the goal, (*shape)) -> name -> figure, on the line and in the plane.
    """

    shared: Callable[[ReducedFunctional, Array], Figures] = lambda *_: {}
    samples: Callable[[ReducedFunctional, Array], Figures] = lambda *_: {}
    flat: Callable[[ReducedFunctional, Array, Raster, Array | None], Figures] = lambda *_: {}


PICTURES: dict[str, Pictures] = {
    "classification": Pictures(samples=class_figures),
    "regression": Pictures(shared=prediction_figures),
    "density": Pictures(flat=steering_figures),
}
"""Task -> the pictures on its samples."""
