# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Fields for ParaView: densities, adjoints and velocity over depth, and samples with their paths.

One data set a run with a time step a layer boundary, see ``paraview``. In 1-D it is the space-depth
plane, with the steps inside the layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional, States, Trajectory, trained_network
from mfresnet.losses import LOSSES
from mfresnet.output.paraview import FORMATS, SERIES, UNITS, Format, Nodes, Snapshot
from mfresnet.output.paths import samples_of, trace
from mfresnet.output.sets import MassSets
from mfresnet.output.vtk_files import LINEAR, cells_piece, column, lines_piece, write_collection
from mfresnet.parallel import collect, together

LONGEST = 40
"""Letters of a label in the name of a field."""
ROWS = 128
"""Depths of the plane in 1-D, beside the layer boundaries."""
SAMPLES, FINEST = 250, 60
"""Samples of a class in the files, and steps of their paths at least."""
NAMES_1D = (SERIES, "plane.pvd")


def write_fields(
    functional: ReducedFunctional, theta: Array, directory: Path, endings: Sequence[str] = (".pvd",)
) -> None:
    """Write densities, adjoints, velocity and samples at theta into ``directory``, which exists.

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
    if ".pvd" in chosen:
        with _on_disk(functional, directory):
            if functional.comm.rank == 0:
                for pattern in ("*.vtu", "*.pvtu", "*.vtp", "*.pvd"):
                    for file in directory.glob(pattern):
                        file.unlink()
        _write_samples(functional, theta, directory)
    if functional.problem.space.dimension == 1 and ".pvd" in chosen:
        _write_plane(functional, theta, labels, directory)
        chosen.remove(".pvd")
    if not chosen:
        return
    nodes = Nodes(functional.problem.space)
    formats: list[Format] = []
    for ending in chosen:
        with _on_disk(functional, directory):
            formats.append(FORMATS[ending](nodes, labels, directory))
    _write_series(functional, theta, labels, nodes, formats, directory)
    # not after an error: closing is collective, and the error may be that of one rank
    for form in formats:
        with _on_disk(functional, directory):
            form.close()


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


def _write_series(
    functional: ReducedFunctional,
    theta: Array,
    labels: Sequence[str],
    nodes: Nodes,
    formats: Sequence[Format],
    directory: Path,
) -> None:
    times, per_layer = depths(functional), functional.steps_per_layer
    # psi comes from T to 0; where memory is short it waits on disk
    kept, disk = States(functional.comm), not functional.plan.whole
    functional.derivative(theta, lambda layer, psi: kept.put(layer, (psi,), disk))
    psi, places = np.empty_like(functional.problem.f0), nodes.places()
    network = functional.network(theta)

    def add(n: int, f: Array, left: Array) -> None:
        layer = n // per_layer
        kept.get(layer, (psi,), forget=True)
        scalars = {f"density_{name}": f[k] for k, name in enumerate(labels)}
        scalars |= {f"adjoint_{name}": psi[k] for k, name in enumerate(labels)}
        sets, last = MassSets(functional.problem.space, f), layer == network.layers
        shares = {
            f"mass_share_{name}": sets.share(k, nodes.values(f[k])) for k, name in enumerate(labels)
        }
        v = network.velocity(places, layer - last)
        snapshot = Snapshot(times[layer], layer, scalars, shares, v, last)
        for form in formats:
            with _on_disk(functional, directory):
                form.write(snapshot)

    Trajectory(functional, theta).visit(add, functional.sweep.boundaries)


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


# ---------------------------------------------------------------------- on the line
def _write_plane(
    functional: ReducedFunctional, theta: Array, labels: Sequence[str], directory: Path
) -> None:
    """Write 1-D fields over the plane (x, t) as quadrilaterals, on rank 0.

    Inside a layer the adjoint is linear between those at its two ends.
    """
    functional.forward(theta)
    sweep, comm, space = functional.sweep, functional.comm, functional.problem.space
    wanted = sweep.boundaries.copy()
    wanted[np.linspace(0, sweep.steps, min(ROWS, sweep.steps) + 1).astype(int)] = True
    numbers, nodes = np.flatnonzero(wanted), Nodes(space)
    adjoints = Trajectory(functional, theta).adjoints()
    network, x = functional.network(theta), nodes.places()
    rows: dict[str, list[Array]] = {}

    def add(n: int, f: Array, left: Array) -> None:
        layer, m = divmod(n, functional.steps_per_layer)
        layer, part = min(layer, network.layers - 1), m / functional.steps_per_layer
        part += float(n == sweep.steps)
        psi = (1.0 - part) * adjoints[layer] + part * adjoints[layer + 1]
        sets, v = MassSets(space, f), network.velocity(x, layer)
        for k, name in enumerate(labels):
            rows.setdefault(f"density_{name}", []).append(nodes.values(f[k]))
            rows.setdefault(f"adjoint_{name}", []).append(nodes.values(psi[k]))
            share = sets.share(k, nodes.values(f[k]))
            rows.setdefault(f"mass_share_{name}", []).append(share)
        rows.setdefault("velocity", []).append(v.reshape(space.n_owned_cells, len(nodes.reference)))

    Trajectory(functional, theta).visit(add, wanted)
    # the two ends come before the nodes inside
    order = np.argsort(nodes.reference[:, 0])
    stacked = {name: np.stack(values, axis=-1)[:, order] for name, values in rows.items()}
    gathered = {name: collect(comm, values) for name, values in stacked.items()}
    at = collect(comm, x.reshape(space.n_owned_cells, len(order))[:, order])
    with _on_disk(functional, directory):
        if comm.rank == 0:
            _save_plane(at, numbers * sweep.dt, gathered, directory)


def _save_plane(x: Array, times: Array, fields: dict[str, Array], directory: Path) -> None:
    (cells, n), m = x.shape, len(times)
    grid = np.zeros((cells, n, m, 3))
    grid[..., 0], grid[..., 1] = x[..., None], times
    number = np.arange(cells * n * m).reshape(cells, n, m)
    corners = [number[:, :-1, :-1], number[:, 1:, :-1], number[:, 1:, 1:], number[:, :-1, 1:]]
    quads = np.stack(corners, axis=-1).reshape(-1, 4)
    columns = [
        column(
            name,
            values.ravel() if name.startswith("density") else values.ravel().astype("f4"),
            next(unit for word, unit in UNITS.items() if name.startswith(word)),
        )
        for name, values in fields.items()
    ]
    active = {"PointData": {"Scalars": next(iter(fields))}}
    points = [column("Points", grid.reshape(-1, 3))]
    piece = cells_piece(points, quads, LINEAR["quadrilateral"], {"PointData": columns}, active)
    piece.write(directory / "plane.vtu")
    for name in NAMES_1D:
        write_collection(directory / name, [(0.0, "plane.vtu")])


# ---------------------------------------------------------------------- samples
def _write_samples(functional: ReducedFunctional, theta: Array, directory: Path) -> None:
    """Write samples over depth, their paths, and the targets where the loss has them."""
    samples = samples_of(functional, SAMPLES)
    aims = LOSSES[functional.case.loss.kind].aims(functional.population.targets)
    network = trained_network(functional, theta)
    with _on_disk(functional, directory):
        if functional.comm.rank == 0:
            if samples is not None:
                _save_samples(*trace(network, samples.x, FINEST), samples.y, directory)
            if len(aims):
                x, flat = aims.T, aims.shape[1] == 1
                t = network.final_time if flat else 0.0
                _save_points(_in_space(x, t), np.arange(len(aims)), directory / "targets.vtp")


def _save_samples(times: Array, path: Array, y: Array, directory: Path) -> None:
    m, d, n = path.shape
    places = np.stack([_in_space(x, t) for t, x in zip(times, path, strict=True)])
    of_points = [
        column("class", np.repeat(y, m).astype("i4")),
        column("depth", np.tile(times, n), "depth"),
    ]
    lines = places.transpose(1, 0, 2).reshape(-1, 3)
    piece = lines_piece(lines, m, {"PointData": of_points}, {"Scalars": "class"})
    piece.write(directory / "trajectories.vtp")
    entries = []
    for number, (t, x) in enumerate(zip(times, places, strict=True)):
        entries.append((float(t), f"samples_{number:06d}.vtp"))
        _save_points(x, y, directory / entries[-1][1])
    write_collection(directory / "samples.pvd", entries)


def _save_points(x: Array, y: Array, path: Path) -> None:
    of_points = {"PointData": [column("class", np.asarray(y).astype("i4"))]}
    lines_piece(x, 1, of_points, {"Scalars": "class"}).write(path)


def _in_space(x: Array, t: float) -> Array:
    """Return points as rows of three coordinates, (d, n) -> (n, 3); on the line with the depth."""
    d, n = x.shape
    rest = np.zeros((3 - d, n))
    if d == 1:
        rest[0] = t
    return np.concatenate([x, rest]).T
