# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Fields for ParaView: densities, adjoints and velocity over depth.

In 2-D one .pvd file a field, a time step a layer boundary. Values are interpolated to the
equispaced discontinuous Lagrange basis, which ParaView draws as it is; the cell means beside them
are right for integrals. In 1-D one file holds the fields over the space-depth plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import basix.ufl
import numpy as np
from dolfinx import fem, io

from mfresnet.arrays import Array
from mfresnet.functional import ReducedFunctional
from mfresnet.parallel import collect, together
from mfresnet.reversal import States
from mfresnet.space import Space


class Plotted:
    """Equispaced DG and DG0 functions that fields of a space are written through."""

    def __init__(self, space: Space) -> None:
        """Make the spaces. Parallel: collective."""
        self.space = space
        self._element = basix.ufl.element(
            "Lagrange",
            space.cell,
            max(space.degree, 1),
            lagrange_variant=basix.LagrangeVariant.equispaced,
            discontinuous=True,
        )
        self._points = self._element.basix_element.points
        self._table = space.tabulate(self._points)[0]
        self._nodal = fem.functionspace(space.mesh, self._element)
        self._means = fem.functionspace(space.mesh, ("DG", 0))
        shape = (space.dimension,)
        vector = basix.ufl.blocked_element(self._element, shape=shape)
        self._vector = fem.functionspace(space.mesh, vector)

    def scalar(self, name: str) -> tuple[fem.Function, fem.Function]:
        """Return the functions for a field and for its cell means."""
        return fem.Function(self._nodal, name=name), fem.Function(self._means, name=f"{name}_mean")

    def set_scalar(self, functions: tuple[fem.Function, fem.Function], f: Array) -> None:
        """Fill both functions from the degrees of freedom f, (n_owned,)."""
        space, (nodal, means) = self.space, functions
        cells = slice(0, space.n_owned_cells)
        local = f[space.dofs[cells]]
        nodal.x.array[self._nodal.dofmap.list[cells]] = local @ self._table.T
        integrals = np.einsum("ci,ci->c", local, space.integral[space.dofs[cells]])
        means.x.array[self._means.dofmap.list[cells, 0]] = integrals / space.cell_volume
        nodal.x.scatter_forward()
        means.x.scatter_forward()

    def vector(self, name: str) -> fem.Function:
        """Return the function for a vector field."""
        return fem.Function(self._vector, name=name)

    def nodes(self) -> Array:
        """Return the points where a vector field is given, (d, owned cells * points)."""
        x, _ = self.space.map_points(slice(0, self.space.n_owned_cells), self._points)
        return np.ascontiguousarray(x.reshape(-1, self.space.dimension).T)

    def set_vector(self, function: fem.Function, v: Array) -> None:
        """Fill a vector function from its values at ``nodes``, (d, n)."""
        d, cells = len(v), slice(0, self.space.n_owned_cells)
        dofs = self._vector.dofmap.list[cells].ravel()
        function.x.array.reshape(-1, d)[dofs] = v.T
        function.x.scatter_forward()


def write_fields(functional: ReducedFunctional, theta: Array, directory: Path) -> None:
    """Write densities, adjoints and velocity at theta into ``directory``, which exists.

    Parallel: collective.
    """
    labels = [identifier(name) for name in functional.population.labels]
    if functional.transport.space.dimension == 1:
        _write_plane(functional, theta, labels, directory)
        return
    plotted, times = Plotted(functional.transport.space), depths(functional)
    per_layer, n_layers = functional.steps_per_layer, functional.controls.layers

    with _Series(functional, plotted, "density", labels, directory) as series:
        functional.visit(
            theta,
            lambda n, f, left: series.write(f, times[n // per_layer]),
            functional.sweep.boundaries,
        )
    # psi comes from T to 0; where memory is short it waits on disk
    kept, disk = States(functional.comm), not functional.plan.whole
    functional.derivative(theta, lambda layer, psi: kept.put(layer, (psi,), disk))
    with _Series(functional, plotted, "adjoint", labels, directory) as series:
        psi = np.empty_like(functional.f0)
        for layer in range(n_layers + 1):
            kept.get(layer, (psi,), forget=True)
            series.write(psi, times[layer])
    velocity, nodes, network = (
        plotted.vector("velocity"),
        plotted.nodes(),
        functional.network(theta),
    )
    with io.VTKFile(functional.comm, str(directory / "velocity.pvd"), "w") as file:
        for layer in range(n_layers):
            plotted.set_vector(velocity, network.velocity(nodes, layer))
            file.write_function(velocity, times[layer])


class _Series:
    """A .pvd file of one field a class over depth. Parallel: every method is collective."""

    def __init__(
        self,
        functional: ReducedFunctional,
        plotted: Plotted,
        name: str,
        labels: Sequence[str],
        directory: Path,
    ) -> None:
        self._plotted = plotted
        self._functions = [plotted.scalar(f"{name}_{label}") for label in labels]
        self._file = io.VTKFile(functional.comm, str(directory / f"{name}.pvd"), "w")

    def __enter__(self) -> _Series:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, fields: Array, t: float) -> None:
        """Add the fields, (classes, n_owned), at depth t."""
        for functions, field in zip(self._functions, fields, strict=True):
            self._plotted.set_scalar(functions, field)
        self._file.write_function([f for pair in self._functions for f in pair], t)


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
