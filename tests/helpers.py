# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Meshes, cases and norms that several tests use."""

from mpi4py import MPI

import importlib.util
import itertools
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import basix.ufl
import h5py
import numpy as np
import pandas as pd
from dolfinx import graph
from dolfinx import mesh as dmesh

from mfresnet.arrays import Array
from mfresnet.case.case import Case, parse
from mfresnet.functional.sweeps.plan import Plan
from mfresnet.functional.sweeps.sweep import Sweep
from mfresnet.mesh import compat
from mfresnet.mesh.boxes import CELLS
from mfresnet.mesh.space import Space
from mfresnet.network.activations import ACTIVATIONS
from mfresnet.network.blocks import BLOCKS
from mfresnet.network.controls import ControlSpace, same_in_every_layer
from mfresnet.network.particles import Network
from mfresnet.network.schemes import SCHEMES
from mfresnet.parallel import total
from mfresnet.trained.network import TrainedNetwork
from mfresnet.transport.fused.transport import FusedTransport
from mfresnet.transport.steps.limiter import LIMITERS
from mfresnet.transport.steps.make import make_march

MATRIX = np.array([[1.1, 0.3, 0.1], [-0.2, 0.8, 0.15], [0.05, -0.1, 0.9]])


def few(cell: str, n: int, in_space: int = 3) -> int:
    """Return the cells a direction: ``n``, in 3-D ``in_space``, so that the tests are quick."""
    return n if CELLS[cell] < 3 else in_space


def rotations(cell: str) -> Array:
    """Return all numberings of the vertices of a cell: its rotations and reflections."""
    d = CELLS[cell]
    if cell not in ("quadrilateral", "hexahedron"):
        return np.array(list(itertools.permutations(range(d + 1))))
    bits = np.array(list(itertools.product((0, 1), repeat=d)))
    numbers = np.arange(2**d).reshape((2,) * d)
    choices = itertools.product(itertools.permutations(range(d)), bits)
    return np.array([numbers[tuple(((bits + flip) % 2)[:, axes].T)] for axes, flip in choices])


def corners_and_cells(cell: str, n: int) -> tuple[Array, Array]:
    """Return vertices and cells of the structured box [-1, 1]^d with n cells a direction.

    The simplices of a box are those along the paths from its least to its greatest corner.
    """
    d = CELLS[cell]
    line = np.linspace(-1.0, 1.0, n + 1)
    x = np.stack(np.meshgrid(*[line] * d, indexing="ij"), axis=-1).reshape(-1, d)
    strides = (n + 1) ** np.arange(d)[::-1]
    first = np.stack(np.meshgrid(*[np.arange(n)] * d, indexing="ij"), -1).reshape(-1, d) @ strides
    if cell in ("quadrilateral", "hexahedron"):
        corners = np.array(list(itertools.product((0, 1), repeat=d))) @ strides
        return x, first[:, None] + corners
    paths = [np.cumsum([0, *strides[list(p)]]) for p in itertools.permutations(range(d))]
    return x, np.concatenate([first[:, None] + path for path in paths])


def bend(x: Array) -> Array:
    """Return points moved smoothly, so that no cell stays affine."""
    phase = x @ np.linspace(3.0, 2.0, x.shape[1])
    shift = [0.05 * np.sin(phase + i) for i in range(x.shape[1])]
    return x + np.stack(shift, axis=1)


def shear(x: Array) -> Array:
    """Return points under a linear map."""
    d = x.shape[1]
    return x @ MATRIX[:d, :d].T


def shaped_mesh(
    comm: MPI.Intracomm, cell: str, n: int, shape: str, partitioner: Any = None
) -> dmesh.Mesh:
    """Return a box of n cells a direction: affine, perturbed, or perturbed with rotated cells."""
    x, cells = corners_and_cells(cell, n)
    x = shear(x) if shape == "affine" else bend(x)
    if shape == "rotated":
        numberings = rotations(cell)
        choice = np.random.default_rng(1).integers(len(numberings), size=len(cells))
        cells = np.take_along_axis(cells, numberings[choice], axis=1)
    element = basix.ufl.element("Lagrange", cell, 1, shape=(x.shape[1],))
    if comm.rank != 0:
        x, cells = x[:0], cells[:0]
    return compat.create_mesh(comm, cells.astype(np.int64), x, element, partitioner)


def inner_rank(n: int) -> Callable[..., Any]:
    """Return a partitioner of the quadrilateral box whose last rank has no boundary facet."""

    def owner(size: int) -> Array:
        i, j = np.divmod(np.arange(n * n), n)
        inside = (i > 0) & (i < n - 1) & (j > 0) & (j < n - 1)
        return np.where(inside, size - 1, (i >= n // 2) % max(size - 1, 1))

    def partition(_: Any, size: int, __: Any, cells: Sequence[Array]) -> Any:
        owners = owner(size).reshape(n, n)
        given = np.asarray(cells[0]).reshape(-1, 4)
        rows, columns = np.divmod(given.min(axis=1), n + 1)
        lists = []
        for i, j in zip(rows, columns, strict=True):
            near = [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
            others = {int(owners[a, b]) for a, b in near if 0 <= a < n and 0 <= b < n}
            lists.append([int(owners[i, j]), *sorted(others - {int(owners[i, j])})])
        offsets = np.cumsum([0, *map(len, lists)]).astype(np.int32)
        flat = np.array([r for row in lists for r in row], dtype=np.int32)
        result = graph.adjacencylist(flat, offsets)
        return getattr(result, "_cpp_object", result)

    return partition


def random_field(space: Space) -> Array:
    """Return degrees of freedom that look random and do not depend on the number of ranks."""
    middle, _ = space.map_points(slice(0, space.n_owned_cells), np.full((1, space.dimension), 0.31))
    n = space.basis.dim
    phase = 37.0 * middle[:, 0, 0] + 91.0 * middle[:, 0, -1]
    values = np.sin(1e3 * (phase[:, None] + np.arange(n)))
    f = np.empty(space.n_owned)
    f[space.dofs[: space.n_owned_cells]] = values
    return f


def inner(space: Space, f: Array, g: Array) -> float:
    """Return the L2 inner product."""
    return float(total(space.comm, np.sum(f * space.mass * g))[0])


def l2_error(space: Space, f: Array, exact: Callable[[Array], Array]) -> float:
    """Return the L2 norm of f - exact, with a rule of high degree."""
    rule = space.cell_quadrature(2 * space.degree + 8)
    values = space.at_quadrature(f, rule.basis)
    x = np.moveaxis(rule.x, -1, 0)
    difference = values - exact(x.reshape(len(x), -1)).reshape(values.shape)
    return float(np.sqrt(total(space.comm, np.sum(rule.weights * difference**2))[0]))


def moments(space: Space, f: Array) -> tuple[float, Array, Array]:
    """Return mass, mean and covariance of f."""

    def moment(*axes: int) -> float:
        """Return the integral of f times the coordinates of these axes."""

        def product(x: Array) -> Array:
            return np.prod(x[list(axes)], axis=0) if axes else np.ones(x.shape[1])

        return float(total(space.comm, space.integrate(product, space.degree + 4) @ f)[0])

    d = range(space.dimension)
    mass = moment()
    mean = np.array([moment(i) for i in d]) / mass
    second = [[moment(i, j) / mass for j in d] for i in d]
    return mass, mean, np.array(second) - np.outer(mean, mean)


def observed_orders(sizes: Sequence[int], errors: Sequence[float]) -> Array:
    """Return the orders between refinements."""
    return -np.diff(np.log(errors)) / np.diff(np.log(sizes))


def gaussian(mean: Any, covariance: Any) -> dict[str, Any]:
    return {"kind": "gaussian", "mean": mean, "covariance": covariance}


def make_case(cell: str, **sections: Any) -> Case:
    """Return a small case on a box of the cell type; sections replace the defaults key by key."""
    d = CELLS[cell]
    data: dict[str, Any] = {
        "mesh": {
            "cell": cell,
            "cells": [few(cell, 12, 5)] * d,
            "lower": [-2.5] * d,
            "upper": [3.0] * d,
        },
        "space": {"degree": 2},
        "network": {"layers": 3},
        "classes": [
            {"density": gaussian([-0.4] * d, (0.09 * np.eye(d)).tolist()), "target": [-1.0] * d},
            {"density": gaussian([0.5] * d, (0.06 * np.eye(d)).tolist()), "target": [1.0] * d},
        ],
        "output": {"fields": False, "pictures": False},
    }
    for name, section in sections.items():
        data[name] = data.get(name, {}) | section if isinstance(section, dict) else section
    return parse(data)


def make_data_case(directory: Path, **sections: Any) -> Case:
    """Return a small case on 160 samples of two classes in the plane, written to a file."""
    rng = np.random.default_rng(6)
    y = np.arange(160) % 2
    x = rng.standard_normal((160, 2)) * 0.5 + np.outer(2 * y - 1, [0.8, 0.3])
    names = np.array(["no", "yes"])[y]
    rows = zip(x[:, 0], x[:, 1], names, strict=True)
    lines = [f"{float(a)!r},{float(b)!r},{name}" for a, b, name in rows]
    (directory / "samples.csv").write_text("\n".join(["width,height,answer", *lines]) + "\n")
    data: dict[str, Any] = {
        "mesh": {"cells": [20, 20]},
        "network": {"layers": 4},
        "data": {"file": "samples.csv", "label": "answer", "bandwidth": 0.4},
        "output": {"fields": False, "pictures": False},
    }
    for name, section in sections.items():
        data[name] = data.get(name, {}) | section
    return parse(data, directory)


def carry(
    space: Space,
    f0: Array,
    activation: str,
    parameters: dict[str, Array],
    *,
    order: int,
    steps: int,
    final_time: float = 1.0,
    limiter: str = "none",
) -> Array:
    """Return f(T) for controls that are constant in depth, by ``steps`` time steps."""
    initial = same_in_every_layer({n: np.asarray(p, float) for n, p in parameters.items()}, 1)
    controls = ControlSpace(initial, ("W", "b"), final_time)
    transport = FusedTransport(space)
    march = make_march(transport, SCHEMES[order], final_time / steps, LIMITERS[limiter](space))
    sweep = Sweep(transport, march, controls, steps, 1, Plan(1, 1, 0, 0, 0, 0))
    network = Network(BLOCKS["square"], ACTIVATIONS[activation], initial, final_time)
    sweep.set_network(network)
    return sweep.forward(f0[None])[0].copy()


def write_table(path: Path, columns: dict[str, Any]) -> Path:
    """Write columns to a file in the format of its ending."""
    frame = pd.DataFrame(columns)
    if path.suffix == ".parquet":
        frame.to_parquet(path, row_group_size=17)
    elif path.suffix == ".npz":
        arrays: dict[str, Any] = {k: np.asarray(v) for k, v in columns.items()}
        np.savez(path, **arrays)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, values in columns.items():
                array = np.asarray(values)
                file[name] = array.astype("S") if array.dtype.kind == "U" else array
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


def random_network(
    block: str,
    activation: str,
    *,
    order: int = 3,
    steps: int = 2,
    probabilistic: bool = True,
    d: int = 2,
) -> TrainedNetwork:
    """Return a network of three layers with random controls, for four features, three classes."""
    rng = np.random.default_rng(5)
    shapes, sizes = BLOCKS[block].shapes(d, 5), np.array([[1.0], [2.0], [0.5], [3.0]])
    shift, matrix = rng.standard_normal(4), rng.standard_normal((4, d))
    return TrainedNetwork(
        features=("a", "b", "c", "d"),
        labels=("left", "middle", "right"),
        shift=shift,
        matrix=matrix,
        back=sizes * np.linalg.pinv((sizes * matrix).T),
        block=block,
        activation=activation,
        parameters={n: 0.6 * rng.standard_normal((3, *s)) for n, s in shapes.items()},
        final_time=1.5,
        order=order,
        steps_per_layer=steps,
        head={"H": rng.standard_normal((3, d)), "h": rng.standard_normal(3)},
        probabilistic=probabilistic,
    )


def imported(path: Path) -> Any:
    """Return the module in a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let files of this process grow to ``size`` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes that are cut, or some of which are others, zero, or put between."""
    found, kind = bytearray(data), rng.integers(6)
    start, stop = np.sort(rng.integers(len(data) + 1, size=2))
    if kind == 0:
        return data[:start]
    if kind == 1:
        for i in rng.integers(len(data), size=rng.integers(1, 20)):
            found[i] = rng.integers(256)
    elif kind == 2:
        for i in rng.integers(len(data), size=rng.integers(1, 4)):
            found[i] ^= 1 << rng.integers(8)
    elif kind == 3:
        found[start:stop] = bytes(stop - start)
    elif kind == 4:
        found[start:start] = rng.bytes(rng.integers(1, 30))
    else:
        found[start : start + 4] = b"\xff" * 4
    return bytes(found)
