# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What moves in the pictures of a run in the plane, at any depth: sets, grid, samples, boundary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from contourpy import LineType, contour_generator

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional, trained_network
from mfresnet.network import SCHEMES, advance
from mfresnet.output import samples_of, trace
from mfresnet.trained import TrainedNetwork

SAMPLES, FINEST = 30, 60
"""Samples of all classes together, and steps of their paths at least."""
LINES, NODES = 11, 45
"""Lines of the grid in each direction, and points of a line."""
TAIL = 0.12
"""Length of the tail of a sample, over T."""
AROUND, POINTS, DENSE = 1.5, 161, 400
"""Size of the box at the output in which the boundary is sought, over that of the frame; points a
direction; points of the boundary."""


@dataclass(frozen=True)
class Moving:
    """Places over depth, in rows of ``times``.

    Attributes:
        times: depths from 0 to T, (m,).
        grid: lines of a grid that is straight at 0, (m, 2, nodes, lines).
        samples: places of samples, (m, 2, n).
        classes: the class of each sample, (n,).
        boundaries: where two classes have the same score, which the output has as lines, each
            (m, 2, points).
    """

    times: Array
    grid: Array
    samples: Array
    classes: Array
    boundaries: list[Array]

    def row(self, t: float) -> int:
        """Return the number of the row at a depth."""
        return int(np.argmin(abs(self.times - t)))


def moving(
    functional: ReducedFunctional, theta: Array, start: tuple[Array, Array],
    frame: tuple[Array, Array],
) -> Moving:  # fmt: skip
    """Return what moves at the controls theta.

    Args:
        functional: J, in the plane.
        theta: the controls.
        start: corners of the grid at 0.
        frame: corners of the picture.
    """
    network, n = trained_network(functional, theta), len(functional.population.labels)
    lines = _grid(*start)
    given = samples_of(functional, max(SAMPLES // n, 1))
    x = np.empty((2, 0)) if given is None else given.x
    y = np.empty(0, dtype=int) if given is None else given.y
    times, path = trace(network, np.concatenate([lines.reshape(2, -1), x], axis=1), FINEST)
    count = lines[0].size
    grid = path[:, :, :count].reshape(len(times), *lines.shape)
    found = _boundaries(network, *frame) if network.head and n > 1 else []
    backward = [_back(network, line, len(times) - 1) for line in found]
    return Moving(times, grid, path[:, :, count:], y, backward)


def _grid(lower: Array, upper: Array) -> Array:
    """Return the lines of a grid, (2, nodes, lines of both directions)."""
    along = [np.linspace(a, b, NODES) for a, b in zip(lower, upper, strict=True)]
    across = [np.linspace(a, b, LINES) for a, b in zip(lower, upper, strict=True)]
    first = np.stack(np.meshgrid(along[0], across[1], indexing="ij"))
    second = np.stack(np.meshgrid(along[1], across[0], indexing="ij"))[::-1]
    return np.concatenate([first, second], axis=2)


def _boundaries(network: TrainedNetwork, lower: Array, upper: Array) -> list[Array]:
    """Return the lines at the output between the classes, each (2, points)."""
    middle, half = 0.5 * (lower + upper), 0.5 * AROUND * (upper - lower)
    axes = [np.linspace(m - h, m + h, POINTS) for m, h in zip(middle, half, strict=True)]
    x = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(2, -1)
    scores = network.scores(x).reshape(-1, POINTS, POINTS)
    found = []
    for k in range(len(scores) - 1):
        ahead = scores[k] - np.delete(scores, k, axis=0).max(axis=0)
        for line in _contours(axes, ahead.T):
            length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line.T), axis=0))])
            at = np.linspace(0.0, length[-1], DENSE)
            found.append(np.array([np.interp(at, length, c) for c in line.T]))
    return found


def _contours(axes: list[Array], values: Array) -> list[Array]:
    """Return the lines where values (m, n) are zero, each (points, 2)."""
    generator = contour_generator(axes[0], axes[1], values, line_type=LineType.Separate)
    return [np.asarray(line) for line in generator.lines(0.0)]


def _back(network: TrainedNetwork, x: Array, m: int) -> Array:
    """Return points at T where they come from, (m + 1, 2, n), by steps of the flow backward."""
    residual, steps = network.residual, m // network.residual.layers
    path = np.repeat(x[None], m + 1, axis=0)
    for n in range(m - 1, -1, -1):
        dt = -network.final_time / m
        path[n] = advance(residual, n // steps, path[n + 1], dt, SCHEMES[network.order])
    return path
