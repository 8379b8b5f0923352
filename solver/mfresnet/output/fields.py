# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Fields for ParaView: densities, adjoints and velocity over depth.

One file a field and format, a time step a layer boundary, see ``paraview``. In 1-D the .pvd file
holds all fields over the space-depth plane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from dolfinx import fem

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional, States, Trajectory
from mfresnet.output.paraview import FORMATS, Format, Pair
from mfresnet.output.vtu import quadrilaterals
from mfresnet.parallel import collect, together

END = b"</VTKFile>"
LONGEST = 40
"""Letters of a label in the name of a field."""
Write = Callable[[float], None]


def write_fields(
    functional: ReducedFunctional, theta: Array, directory: Path, endings: Sequence[str] = (".pvd",)
) -> None:
    """Write densities, adjoints and velocity at theta into ``directory``, which exists.

    Args:
        functional: J.
        theta: the controls.
        directory: where the files go.
        endings: of the files that are wanted, rows of ``FORMATS``.

    Raises:
        SolveError: the disk is full.

    Parallel: collective.
    """
    labels = identifiers(functional.population.labels)
    chosen = list(endings)
    if functional.problem.space.dimension == 1 and ".pvd" in chosen:
        _write_plane(functional, theta, labels, directory)
        chosen.remove(".pvd")
    formats = [FORMATS[ending](functional.problem.space) for ending in chosen]
    if formats:
        _write_series(functional, theta, labels, formats, directory)
    with _on_disk(functional, directory):
        if functional.comm.rank == 0:
            cut = [file.name for file in sorted(directory.glob("*.*vtu")) if not _whole(file)]
            if cut:
                raise OSError(f"{cut[0]} is cut off")


@contextmanager
def _on_disk(functional: ReducedFunctional, directory: Path) -> Iterator[None]:
    """Raise SolveError on all ranks where one cannot write. Collective on leaving the block."""
    with together(functional.comm):
        try:
            yield
        except (OSError, RuntimeError) as error:
            raise SolveError(
                f"output.fields: the fields cannot be written; got '{error}', expected room in "
                f"{directory}. Free the disk or set output.fields to false."
            ) from error


def _whole(file: Path) -> bool:
    """Return whether a file of VTK has its end; DOLFINx does not say when the disk was full."""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - len(END) - 2))
        return stream.read().strip().endswith(END)


def _write_series(
    functional: ReducedFunctional,
    theta: Array,
    labels: Sequence[str],
    formats: Sequence[Format],
    directory: Path,
) -> None:
    times, per_layer = depths(functional), functional.steps_per_layer
    n_layers = functional.controls.layers

    def scalars(name: str) -> list[list[Pair]]:
        return [[form.scalar(f"{name}_{label}") for label in labels] for form in formats]

    def set_scalars(pairs: list[list[Pair]], fields: Array) -> None:
        for form, of_form in zip(formats, pairs, strict=True):
            for pair, field in zip(of_form, fields, strict=True):
                form.set_scalar(pair, field)

    def opened(stem: str, pairs: list[list[Pair]]) -> AbstractContextManager[Write]:
        functions = [[f for pair in of_form for f in pair] for of_form in pairs]
        return _opened(functional, formats, functions, directory / stem)

    density = scalars("density")
    with opened("density", density) as write:

        def add(n: int, f: Array, left: Array) -> None:
            set_scalars(density, f)
            write(times[n // per_layer])

        Trajectory(functional, theta).visit(add, functional.sweep.boundaries)
    # psi comes from T to 0; where memory is short it waits on disk
    kept, disk = States(functional.comm), not functional.plan.whole
    functional.derivative(theta, lambda layer, psi: kept.put(layer, (psi,), disk))
    adjoint = scalars("adjoint")
    with opened("adjoint", adjoint) as write:
        psi = np.empty_like(functional.problem.f0)
        for layer in range(n_layers + 1):
            kept.get(layer, (psi,), forget=True)
            set_scalars(adjoint, psi)
            write(times[layer])
    velocity = [form.vector("velocity") for form in formats]
    network, nodes = functional.network(theta), formats[0].nodes()
    with _opened(functional, formats, [[f] for f in velocity], directory / "velocity") as write:
        for layer in range(n_layers):
            v = network.velocity(nodes, layer)
            for form, function in zip(formats, velocity, strict=True):
                form.set_vector(function, v)
            write(times[layer])


@contextmanager
def _opened(
    functional: ReducedFunctional,
    formats: Sequence[Format],
    functions: Sequence[list[fem.Function]],
    stem: Path,
) -> Iterator[Write]:
    """Open a file of functions in each format; what is given adds them at a depth t.

    Parallel: collective.
    """
    files = []
    for form, of_form in zip(formats, functions, strict=True):
        with _on_disk(functional, stem.parent):
            files.append(form.open(stem, of_form))

    def write(t: float) -> None:
        for file in files:
            with _on_disk(functional, stem.parent):
                file.write(t)

    yield write
    # not after an error: closing is collective, and the error may be that of one rank
    for file in files:
        with _on_disk(functional, stem.parent):
            file.close()


def depths(functional: ReducedFunctional) -> Array:
    """Return the depth at the start of every layer, and T."""
    controls = functional.controls
    return np.linspace(0.0, controls.final_time, controls.layers + 1)


def identifiers(labels: Sequence[str]) -> list[str]:
    """Return labels of letters, digits and underscores alone, not long, each another one."""
    found: list[str] = []
    for number, label in enumerate(labels):
        name = "".join(c if c.isalnum() else "_" for c in label)
        if name in found or len(name) > LONGEST:
            name = f"{name[:LONGEST]}_{number + 1}"
        found.append(name)
    return found


def _write_plane(
    functional: ReducedFunctional, theta: Array, labels: Sequence[str], directory: Path
) -> None:
    """Write 1-D fields over the plane (x, t) as quadrilaterals, on rank 0."""
    densities, adjoints = (
        Trajectory(functional, theta).densities(),
        Trajectory(functional, theta).adjoints(),
    )
    fields = {f"density_{name}": densities[:, k] for k, name in enumerate(labels)}
    fields |= {f"adjoint_{name}": adjoints[:, k] for k, name in enumerate(labels)}
    space, times, comm = functional.problem.space, depths(functional), functional.comm
    n = max(space.degree, 1) + 1
    points = np.linspace(0.0, 1.0, n)[:, None]
    x, _ = space.at_points(densities[0, 0], points)
    sampled = {"x": x[..., 0]}
    for name, field in fields.items():
        rows = [space.at_points(f, points)[1] for f in field]
        sampled[name] = np.stack(rows, axis=-1)
    network = functional.network(theta)
    nodes = np.ascontiguousarray(x.reshape(-1, 1).T)
    layers = [network.velocity(nodes, k) for k in range(len(times) - 1)]
    velocity = np.stack([*layers, layers[-1]], axis=-1).reshape(len(x), n, -1)
    gathered = {k: collect(comm, v) for k, v in (sampled | {"velocity": velocity}).items()}
    with _on_disk(functional, directory):
        if comm.rank == 0:
            _save_plane(gathered, times, directory)


def _save_plane(gathered: dict[str, Array], times: Array, directory: Path) -> None:
    x = gathered.pop("x")
    cells, n = x.shape
    m = len(times)
    grid = np.empty((cells, n, m, 3))
    grid[..., 0], grid[..., 1], grid[..., 2] = x[..., None], times, 0.0
    number = np.arange(cells * n * m).reshape(cells, n, m)
    corners = [number[:, :-1, :-1], number[:, 1:, :-1], number[:, 1:, 1:], number[:, :-1, 1:]]
    quads = np.stack(corners, axis=-1).reshape(-1, 4)
    fields = {name: values.ravel() for name, values in gathered.items()}
    content = quadrilaterals(grid.reshape(-1, 3), quads, fields)
    (directory / "plane.vtu").write_text(content, encoding="utf-8")
    text = (
        '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n  <Collection>\n'
        f'    <DataSet timestep="0" file={quoteattr("plane.vtu")}/>\n'
        "  </Collection>\n</VTKFile>\n"
    )
    (directory / "plane.pvd").write_text(text)
