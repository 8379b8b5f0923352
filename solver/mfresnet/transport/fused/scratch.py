# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Memory that the compiled functions work on, made once for a name and a number of classes."""

from __future__ import annotations

from typing import Any

from mfresnet.arrays import Array
from mfresnet.mesh import aligned
from mfresnet.transport.fused.kernels import Kernels


class Scratch:
    """Arrays at facet points, or fields where the name starts with "field"."""

    def __init__(self, kernels: Kernels) -> None:
        """Allocate nothing yet."""
        self._kernels = kernels
        self._made: dict[tuple[str, int], tuple[Array, Any]] = {}

    def _make(self, name: str, classes: int) -> tuple[Array, Any]:
        k = self._kernels
        if name.startswith("field"):
            memory = aligned(classes, k.layout.size)
            return memory, k.field(memory)
        memory = aligned(classes, k.layout.sides)
        return memory, k.numbers(memory)

    def _entry(self, name: str, classes: int) -> tuple[Array, Any]:
        key = name, classes
        if key not in self._made:
            self._made[key] = self._make(name, classes)
        return self._made[key]

    def array(self, name: str, classes: int) -> Array:
        """Return the array, (classes, ...)."""
        return self._entry(name, classes)[0]

    def c(self, name: str, classes: int) -> Any:
        """Return it for C: an address, or a ``struct field``."""
        return self._entry(name, classes)[1]
