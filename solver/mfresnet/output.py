# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Fields for ParaView: densities, adjoints and velocity over depth.

One file a field and format, a time step a layer boundary, see ``paraview``. In 1-D the .pvd file
holds all fields over the space-depth plane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional
from mfresnet.parallel import collect, together
from mfresnet.paraview import FORMATS, Bp, Pvd
from mfresnet.reversal import States


def write_fields(
    functional: ReducedFunctional, theta: Array, directory: Path, endings: Sequence[str] = (".pvd",)
) -> None:
    """Write densities, adjoints and velocity at theta into ``directory``, which exists.

    Args:
        functional: J.
        theta: the controls.
        directory: where the files go.
        endings: of the files that are wanted, rows of ``FORMATS``.

    Parallel: collective.
    """
    labels = [identifier(name) for name in functional.population.labels]
    chosen = list(endings)
    if functional.transport.space.dimension == 1 and ".pvd" in chosen:
        _write_plane(functional, theta, labels, directory)
        chosen.remove(".pvd")
    formats = [FORMATS[ending](functional.transport.space) for ending in chosen]
    if not formats:
        return
    times, per_layer = depths(functional), functional.steps_per_layer
    n_layers = functional.controls.layers

    with _series(formats, "density", labels, directory) as write:
        functional.visit(
            theta,
            lambda n, f, left: write(f, times[n // per_layer]),
            functional.sweep.boundaries,
        )
    # psi comes from T to 0; where memory is short it waits on disk
    kept, disk = States(functional.comm), not functional.plan.whole
    functional.derivative(theta, lambda layer, psi: kept.put(layer, (psi,), disk))
    with _series(formats, "adjoint", labels, directory) as write:
        psi = np.empty_like(functional.f0)
        for layer in range(n_layers + 1):
            kept.get(layer, (psi,), forget=True)
            write(psi, times[layer])
    _write_velocity(functional, theta, formats, directory)


def _write_velocity(
    functional: ReducedFunctional, theta: Array, formats: Sequence[Pvd | Bp], directory: Path
) -> None:
    network, nodes = functional.network(theta), formats[0].nodes()
    with ExitStack() as stack:
        functions = [form.vector("velocity") for form in formats]
        files = [
            stack.enter_context(closing(form.open(directory / "velocity", [function])))
            for form, function in zip(formats, functions, strict=True)
        ]
        for layer, t in enumerate(depths(functional)[:-1]):
            v = network.velocity(nodes, layer)
            for form, function, file in zip(formats, functions, files, strict=True):
                form.set_vector(function, v)
                file.write(t)


@contextmanager
def _series(
    formats: Sequence[Pvd | Bp], name: str, labels: Sequence[str], directory: Path
) -> Iterator[Callable[[Array, float], None]]:
    """Open the files of one field a class; what is given adds the fields, (classes, n_owned), at t.

    Parallel: collective.
    """
    with ExitStack() as stack:
        functions = [[form.scalar(f"{name}_{label}") for label in labels] for form in formats]
        files = [
            stack.enter_context(
                closing(form.open(directory / name, [f for pair in pairs for f in pair]))
            )
            for form, pairs in zip(formats, functions, strict=True)
        ]

        def write(fields: Array, t: float) -> None:
            for form, pairs, file in zip(formats, functions, files, strict=True):
                for pair, field in zip(pairs, fields, strict=True):
                    form.set_scalar(pair, field)
                file.write(t)

        yield write


def depths(functional: ReducedFunctional) -> Array:
    """Return the depth at the start of every layer, and T."""
    controls = functional.controls
    return np.linspace(0.0, controls.final_time, controls.layers + 1)


def identifier(label: str) -> str:
    """Return a label with everything but letters, digits and underscores replaced."""
    return "".join(c if c.isalnum() else "_" for c in label)


def _write_plane(
    functional: ReducedFunctional, theta: Array, labels: Sequence[str], directory: Path
) -> None:
    """Write 1-D fields over the plane (x, t) as quadrilaterals, on rank 0."""
    densities, adjoints = functional.densities(theta), functional.adjoints(theta)
    fields = {f"density_{name}": densities[:, k] for k, name in enumerate(labels)}
    fields |= {f"adjoint_{name}": adjoints[:, k] for k, name in enumerate(labels)}
    space, times, comm = functional.transport.space, depths(functional), functional.comm
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
    with together(comm):
        if comm.rank == 0:
            _save_plane(gathered, times, directory)


def _save_plane(gathered: dict[str, Array], times: Array, directory: Path) -> None:
    import pyvista

    x = gathered.pop("x")
    cells, n = x.shape
    m = len(times)
    grid = np.empty((cells, n, m, 3))
    grid[..., 0], grid[..., 1], grid[..., 2] = x[..., None], times, 0.0
    number = np.arange(cells * n * m).reshape(cells, n, m)
    corners = [number[:, :-1, :-1], number[:, 1:, :-1], number[:, 1:, 1:], number[:, :-1, 1:]]
    quads = np.stack(corners, axis=-1).reshape(-1, 4)
    mesh = pyvista.UnstructuredGrid({pyvista.CellType.QUAD: quads}, grid.reshape(-1, 3))
    for name, values in gathered.items():
        mesh.point_data[name] = values.ravel()
    mesh.save(directory / "plane.vtu")
    text = (
        '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n  <Collection>\n'
        f'    <DataSet timestep="0" file={quoteattr("plane.vtu")}/>\n'
        "  </Collection>\n</VTKFile>\n"
    )
    (directory / "plane.pvd").write_text(text)
