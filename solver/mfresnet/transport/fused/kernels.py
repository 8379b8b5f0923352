# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The functions of ``kernels.c`` for a space, and the messages between ranks that they ask for."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfresnet.arrays import Array
from mfresnet.compiled import Library, cache_size, library, vectors
from mfresnet.mesh import Layout, header, inverse_mass
from mfresnet.parallel import ranks_here

SOURCE, DECLARATIONS = (Path(__file__).with_name(f"kernels.{end}") for end in "ch")
FLAGS = ["-fno-tree-slp-vectorize"]
"""The loops say themselves what belongs into a register."""
PREAMBLE = "#include <stdint.h>\n"


def made(layout: Layout, flags: Sequence[str]) -> Library:
    """Return the functions for a layout, by a compiler with flags for its lanes. Collective."""
    types = DECLARATIONS.read_text()
    head = PREAMBLE + header(layout) + types
    return library(layout.space.comm, SOURCE, types, head, [*FLAGS, *flags])


class Kernels:
    """The compiled functions for a space in blocks.

    Attributes:
        layout: the blocks.
        volume: |K| in every lane, 1 in empty ones, (blocks lanes,).

    Parallel: construction is collective, and the calls that send.
    """

    def __init__(self, layout: Layout) -> None:
        """Compile and describe the operator to C."""
        self.layout = layout
        self._lib, self._ffi = made(layout, vectors()[1])
        self._errors: list[BaseException] = []
        self._exchange = Exchange(layout) if layout.neighbours else None
        self._describe()

    def _describe(self) -> None:
        layout, ffi = self.layout, self._ffi
        space = layout.space
        inverse = inverse_mass(layout)
        each = inverse.shape[1]
        self.inverse = layout.of_points(inverse)
        filled = np.repeat(layout.filled.reshape(-1, layout.lanes), each, axis=0).ravel()
        self.inverse[~filled] = 1.0
        points = layout.points[:each]
        scaled = np.moveaxis(space.quadrature.inverse[:, points], (2, 3), (0, 1)) / inverse
        self.adjugate = layout.of_points(scaled) * filled
        self.volume = np.where(layout.filled, space.cell_volume[layout.cells], 1.0)
        self.behind, self.exits = layout.behind, layout.exits.astype(np.int32)
        self._places = self.integers(layout.place.astype(np.int32))
        self.operator = ffi.new("struct operator_ *")
        o = self.operator
        o.blocks, o.halo = layout.blocks, layout.halo
        o.points = layout.blocks * len(layout.points) * layout.lanes
        o.sides, o.size = layout.sides, layout.size
        o.past = self._bytes_of_stage() * ranks_here(space.comm) > cache_size()
        o.exits, o.leaving = len(self.exits), layout.leaving.start
        o.behind, o.exit = self.integers(self.behind), self.integers(self.exits)
        o.inverse, o.adjugate = self.numbers(self.inverse), self.numbers(self.adjugate)
        if self._exchange is not None:
            o.send, o.receive = self._callbacks(self._exchange)

    def _bytes_of_stage(self, classes: int = 2) -> int:
        """Return what a stage of so many classes reads and writes, in bytes."""
        layout, o = self.layout, self.operator
        coefficients = layout.space.dimension * o.points + layout.sides
        return int(8 * (classes * (3 * layout.size + 2 * layout.sides) + coefficients))

    def _callbacks(self, exchange: Exchange) -> tuple[Any, Any]:
        """Return the functions that C calls to send and to receive."""
        ffi, sides = self._ffi, self.layout.sides

        def array(g: Any, classes: int) -> Array:
            numbers = np.frombuffer(ffi.buffer(g, 8 * classes * sides), dtype=np.float64)
            return numbers.reshape(classes, sides)

        def keep(kind: Any, error: BaseException, trace: Any) -> None:
            errors.append(error)

        kind, errors = "void(double *, int)", self._errors
        self._kept = (
            ffi.callback(kind, lambda g, classes: exchange.send(array(g, classes)), onerror=keep),
            ffi.callback(
                kind, lambda g, classes: exchange.receive(array(g, classes)), onerror=keep
            ),
        )
        return self._kept

    def address(self, array: Array) -> Any:
        """Return the address of an array that is contiguous in its last direction."""
        while array.ndim > 1:
            array = array[0]
        return self._ffi.from_buffer("double[]", array)

    def numbers(self, array: Array | None) -> Any:
        """Return the numbers of a contiguous array, NULL for None."""
        return self._ffi.NULL if array is None else self._ffi.from_buffer("double[]", array)

    def integers(self, array: NDArray[np.int32]) -> Any:
        """Return the integers of a contiguous array."""
        return self._ffi.from_buffer("int32_t[]", array)

    def field(self, array: Array | None) -> Any:
        """Return fields of all classes, (classes, size), the classes at any distance."""
        if array is None:
            return self._ffi.new("struct field *")[0]
        assert array.strides[-1] == 8 or array.size == 0
        return self._ffi.new("struct field *", [self.address(array), array.strides[0] // 8])[0]

    def new(self, kind: str, values: Any = None) -> Any:
        """Return a new C object."""
        return self._ffi.new(kind, values)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function with the operator."""
        getattr(self._lib, name)(self.operator, *arguments)
        if self._errors:
            # C cannot be left by an error: it has gone on with what was there
            raise self._errors.pop()

    def exchange_alone(self, classes: int) -> None:
        """Send and receive what a stage does, of zeros, for its time. Collective."""
        if self._exchange is not None:
            g = np.zeros((classes, self.layout.sides))
            self._exchange.send(g)
            self._exchange.receive(g)

    def plain(self, name: str, *arguments: Any) -> None:
        """Call a function that does not need the operator."""
        getattr(self._lib, name)(*arguments)

    def pack(self, f: Array, x: Array) -> Array:
        """Put degrees of freedom (classes, n_owned) into fields (classes, size)."""
        sides = self.address(f), f.strides[0] // 8, self._places, self.address(x), x.strides[0] // 8
        self._lib.pack(f.shape[1], len(f), *sides)
        return x

    def unpack(self, x: Array, f: Array) -> Array:
        """Take degrees of freedom (classes, n_owned) from fields (classes, size)."""
        sides = self.address(x), x.strides[0] // 8, self._places, self.address(f), f.strides[0] // 8
        self._lib.unpack(f.shape[1], len(f), *sides)
        return f


class Exchange:
    """Messages with what is at facet points between ranks, by persistent requests.

    Parallel: a call of ``send`` is followed by one of ``receive`` with the same array.
    """

    def __init__(self, layout: Layout) -> None:
        """Remember whom to send what."""
        self._comm, self._layout = layout.space.comm, layout
        self._requests: dict[int, tuple[list[Array], list[Array], Any]] = {}

    def _prepare(self, classes: int) -> tuple[list[Array], list[Array], Any]:
        layout = self._layout
        out: list[Array] = [np.empty((classes, p.size)) for _, p in layout.neighbours]
        got: list[Array] = [np.empty((classes, part.stop - part.start)) for part in layout.received]
        requests = []
        for (rank, _), leaving, coming in zip(layout.neighbours, out, got, strict=True):
            requests.append(self._comm.Recv_init(coming, rank))
            requests.append(self._comm.Send_init(leaving, rank))
        return out, got, requests

    def send(self, g: Array) -> None:
        """Start to send what the blocks have."""
        classes = len(g)
        if classes not in self._requests:
            self._requests[classes] = self._prepare(classes)
        out, _, requests = self._requests[classes]
        for (_, places), leaving in zip(self._layout.neighbours, out, strict=True):
            g.take(places, axis=1, out=leaving, mode="clip")  # no copy is made first then
        MPI.Prequest.Startall(requests)

    def receive(self, g: Array) -> None:
        """Wait for what the other ranks have."""
        _, got, requests = self._requests[len(g)]
        MPI.Request.Waitall(requests)
        for part, coming in zip(self._layout.received, got, strict=True):
            g[:, part] = coming
