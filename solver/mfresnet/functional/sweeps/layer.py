# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The memory for the layers of a sweep."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import as_strided

from mfresnet.arrays import Array
from mfresnet.functional.sweeps.plan import Plan
from mfresnet.mesh import aligned
from mfresnet.network import Network
from mfresnet.transport import Coefficients, March, Steps, Transport

TOGETHER = 1 << 16
"""Numbers of the velocities that are made at once: they stay in a cache."""


class Layer:
    """What the backward sweep needs of one layer.

    Attributes:
        number: the layer whose velocity is there, -1 for none.
        velocity: v at the points of the transport, (d, n).
        coefficients: those of ``velocity``.
        left: mass that has left through each boundary point before every step,
            (steps per layer, classes, n_exit).
    """

    def __init__(
        self,
        transport: Transport,
        march: March,
        steps_per_layer: int,
        n_classes: int,
        velocity: Array | None = None,
    ) -> None:
        """Allocate everything that the march leaves, the velocity where it is not given."""
        shape = (steps_per_layer, n_classes)
        self.number = -1
        self.velocity = np.zeros(transport.points.shape) if velocity is None else velocity
        self.coefficients = transport.new_coefficients()
        self._shape = (*shape, march.stages, march.size)
        self.left = np.zeros((*shape, transport.n_exit))
        self._steps: dict[tuple[int, int, bool], Steps] = {}

    @cached_property
    def stages(self) -> Array:
        """Those of every step and class, (steps per layer, classes, s, size).

        Their memory is taken when a sweep first needs it: the number of steps may change before.
        """
        return aligned(*self._shape)

    @cached_property
    def _stages_of_one(self) -> Array:
        """Those of one step, of ``stages`` where they are there, (1, classes, s, size)."""
        return self.stages[:1] if "stages" in self.__dict__ else aligned(1, *self._shape[1:])

    def steps(self, part: slice, keep: bool = True) -> Steps:
        """Return the coefficients with the memory of some steps, all that of one where not kept."""
        key = part.start, part.stop, keep
        if key not in self._steps:
            if keep:
                stages, left = self.stages[part], self.left[part]
            else:
                stages, left = (
                    as_strided(a, (part.stop - part.start, *a.shape[1:]), (0, *a.strides[1:]))
                    for a in (self._stages_of_one, self.left)
                )
            self._steps[key] = Steps(self.coefficients, stages, left)
        return self._steps[key]

    @staticmethod
    def bytes(transport: Transport, march: March, steps_per_layer: int, n_classes: int) -> int:
        """Return the memory of one on this rank."""
        per_class = march.stages * march.size + transport.n_exit
        pointwise = transport.points.size + transport.n_coefficients
        return 8 * (steps_per_layer * n_classes * per_class + pointwise)


class Layers:
    """The memory for the layers of a segment, several of which are evaluated at once.

    A call of a function for many layers costs as much as for one where the mesh is small.
    """

    def __init__(
        self, transport: Transport, march: March, steps_per_layer: int, n_classes: int, plan: Plan
    ) -> None:
        """Allocate it."""
        self._transport, self._plan = transport, plan
        self._velocities = np.zeros((plan.held, *transport.points.shape))
        self._layers = [
            Layer(transport, march, steps_per_layer, n_classes, v) for v in self._velocities
        ]
        most = max(1, min(plan.held, TOGETHER // max(1, transport.points.size)))
        self._batches = [batch for batch in batches(plan, most) for _ in batch]
        self._sensitivities = [transport.new_coefficients() for _ in range(most)]

    @property
    def calls(self) -> int:
        """In how many calls the velocities of all layers are made."""
        return len(set(self._batches))

    def forget(self) -> None:
        """No velocity is there."""
        for kept in self._layers:
            kept.number = -1

    def of(self, network: Network, number: int) -> Layer:
        """Return the memory for a layer, with its velocity in place."""
        kept = self._layers[number - self._plan.start_of(number)]
        if kept.number != number:
            batch = self._batches[number]
            places = self._places(batch)
            layers, velocities = self._layers[places], self._velocities[places]
            velocities[:] = network.velocities(self._transport.points, batch.start, batch.stop)
            coefficients = [each.coefficients for each in layers]
            self._transport.coefficients_of_layers(velocities, coefficients)
            for i, each in zip(batch, layers, strict=True):
                each.number = i
        return kept

    def _places(self, batch: range) -> slice:
        start = self._plan.start_of(batch.start)
        return slice(batch.start - start, batch.stop - start)

    def sensitivity(self, number: int) -> Coefficients:
        """Return the memory for the derivative in the coefficients of a layer, with zeros."""
        s = self._sensitivities[number - self._batches[number].start]
        s.flat[:] = 0.0
        return s

    def pull_back(self, network: Network, number: int, derivative: dict[str, Array]) -> None:
        """Put the derivative in the controls in place, with the first layer that is evaluated.

        Args:
            network: that of the velocities.
            number: the layer whose derivative in the coefficients is there now; they come in
                falling order.
            derivative: name -> (layers, ...).
        """
        batch = self._batches[number]
        if number > batch.start:
            return
        v, points = self._velocities[self._places(batch)], self._transport.points
        g = self._transport.coefficients_vjp_of_layers(v, self._sensitivities[: len(batch)])
        theta = network.controls.of_layers(batch.start, batch.stop)
        for name, part in network.block.vjps(network.activation, points, theta, g).items():
            derivative[name][batch.start : batch.stop] = part


def batches(plan: Plan, most: int) -> Iterator[range]:
    """Yield the layers that are evaluated at once, all of one segment."""
    for i in range(plan.segments):
        segment = plan.segment(i)
        for first in segment[::most]:
            yield range(first, min(first + most, segment.stop))
