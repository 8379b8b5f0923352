# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Samples on the mesh: location, deposition, smoothing, on however many ranks the tests run."""

from mpi4py import MPI

from pathlib import Path

import numpy as np
import pytest
import ufl
from dolfinx import fem, geometry

from helpers import moments, shaped_mesh, write_table
from mfresnet.arrays import Array
from mfresnet.case import binning
from mfresnet.case.binning import binned_samples
from mfresnet.data.deposition import BANDWIDTHS, bandwidth, deposit
from mfresnet.data.section import DataSection
from mfresnet.data.tables import formats as tables
from mfresnet.data.tables import text as text_table
from mfresnet.data.tables.dataset import Dataset, Samples, load_data
from mfresnet.errors import InputError
from mfresnet.mesh.boxes import CELLS, box
from mfresnet.mesh.heat import HeatEquation
from mfresnet.mesh.locate import Locator
from mfresnet.mesh.pieces import Pieces
from mfresnet.mesh.space import Space
from mfresnet.parallel import maximum, together, total

COMM = MPI.COMM_WORLD


def square(cell: str, n: int, degree: int, comm: MPI.Intracomm = COMM) -> Space:
    d = CELLS[cell]
    return Space(box(comm, cell, [n] * d, np.full(d, -5.0), np.full(d, 5.0)), degree)


def put(space: Space, x: Array) -> Array:
    """Return the density of samples of one class."""
    part = Samples(x, np.zeros(x.shape[1], dtype=int), np.ones(x.shape[1]))
    return deposit(space, [part], ["a"])[0]


def samples(d: int, n: int = 300) -> Array:
    return np.random.default_rng(2).standard_normal((d, n)) * 0.8 + 0.3


@pytest.mark.parametrize("shape", ["affine", "perturbed", "rotated"])
@pytest.mark.parametrize("cell", CELLS)
def test_every_point_is_found_once(cell: str, shape: str) -> None:
    """And the reference coordinates lead back to it."""
    space = Space(shaped_mesh(COMM, cell, 4, shape), 1)
    locator = Locator(space)
    nodes = COMM.bcast(space.cell_nodes(), root=0)
    weights = np.random.default_rng(3).dirichlet(np.ones(nodes.shape[1]), size=len(nodes))
    inside = np.einsum("cn,cni->ci", weights, nodes)
    # points inside, on corners and between corners
    points = np.concatenate([inside, nodes[:, 0], nodes.mean(axis=1), nodes[:, :2].mean(axis=1)]).T
    cells, reference, found = locator.find(points)
    assert found.all()
    owners = total(COMM, (cells >= 0).astype(float))
    np.testing.assert_array_equal(owners, 1.0)
    mine = cells >= 0
    x, _ = space.map_each(cells[mine], reference[mine])
    assert np.abs(x - points[:, mine].T).max(initial=0.0) < 1e-9
    assert not locator.find(points + 100.0)[2].any()


PROJECTED = [(c, s) for c in CELLS for s in ("affine", "perturbed")]
# its mass is that of a quadrature on cells of which DOLFINx does not find the curved faces
PROJECTED.remove(("hexahedron", "perturbed"))


@pytest.mark.parametrize(("cell", "shape"), PROJECTED)
def test_deposition_is_the_projection_on_every_cell(cell: str, shape: str) -> None:
    """int_K f g is the weighted mean of g over the samples in K, for any g of the space.

    Integrals, values of g and the cells of the samples are DOLFINx's own.
    """
    space, d = Space(shaped_mesh(COMM, cell, 4, shape), 2), CELLS[cell]
    mesh, owned, rng = space.mesh, space.n_owned_cells, np.random.default_rng(6)
    nodes = COMM.bcast(space.cell_nodes(), root=0)
    nodes = nodes[rng.integers(0, len(nodes), 200)]
    x = np.einsum("nv,nvi->in", rng.dirichlet(np.ones(nodes.shape[1]), size=200), nodes)
    w = rng.uniform(0.5, 2.0, 200)
    f, g = (fem.Function(space.function_space) for _ in range(2))
    f.x.array[: space.n_owned] = deposit(space, [Samples(x, np.zeros(200, dtype=int), w)], ["a"])[0]
    g.x.array[: space.n_owned] = np.random.default_rng(COMM.rank).standard_normal(space.n_owned)
    for function in (f, g):
        function.x.scatter_forward()
    of_cell = ufl.TestFunction(fem.functionspace(mesh, ("DG", 0)))
    integrals = fem.assemble_vector(fem.form(f * g * of_cell * ufl.dx)).array[:owned]
    padded = np.zeros((200, 3))
    padded[:, :d] = x.T
    tree = geometry.bb_tree(mesh, d)
    near = geometry.compute_collisions_points(tree, padded)
    links = geometry.compute_colliding_cells(mesh, near, padded)
    cells = np.array([next((c for c in links.links(i) if c < owned), -1) for i in range(200)])
    here = np.flatnonzero(cells >= 0)
    values = g.eval(padded[here], cells[here]).ravel() * w[here]
    means = np.bincount(cells[here], values, minlength=owned) / w.sum()
    assert total(COMM, float(here.size))[0] == 200.0
    np.testing.assert_allclose(integrals, means, atol=1e-12)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_deposition_is_the_projection(cell: str, degree: int) -> None:
    """(f, g) is the mean of g over the samples for every polynomial g of degree p."""
    space, x = square(cell, 6, degree), samples(CELLS[cell])
    f = put(space, x)
    for power in range(degree + 1):
        moment = total(
            space.comm, space.integrate(lambda y, k=power: y[0] ** k, 2 * degree + 2) @ f
        )
        assert moment[0] == pytest.approx(np.mean(x[0] ** power), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("cell", CELLS)
def test_deposition_does_not_depend_on_the_ranks(cell: str) -> None:
    """Also for samples on facets between cells."""
    d = CELLS[cell]
    x = np.concatenate([samples(d), np.round(samples(d))], axis=1)
    alone, shared = square(cell, 5, 2, MPI.COMM_SELF), square(cell, 5, 2)
    values = []
    for space in (alone, shared):
        f = put(space, x)
        tested = [
            space.integrate(g, space.cell_degree) @ f
            for g in (lambda y: np.sin(y[0]), lambda y: np.cos(3.0 * y[-1]))
        ]
        values.append(total(space.comm, [*tested, f @ (space.mass * f)]))
    np.testing.assert_allclose(values[1], values[0], rtol=1e-12)


@pytest.mark.parametrize("degree", [0, 1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_smoothing(cell: str, degree: int) -> None:
    """Mass 1 and means to 1e-12; variance of the samples plus bandwidth^2."""
    d = CELLS[cell]
    space, x = square(cell, 10 if d == 3 else 24, degree), samples(d)
    width = 0.6 if d == 3 else 0.4
    heat = HeatEquation(space)
    f = heat.smooth(put(space, x), width)
    heat.destroy()
    mass, mean, covariance = moments(space, f)
    assert mass == pytest.approx(1.0, abs=1e-12)
    if degree >= 2:  # second moments are in the space
        np.testing.assert_allclose(mean, x.mean(axis=1), atol=1e-4 if d == 3 else 1e-7)
        expected = np.cov(x, bias=True) + width**2 * np.eye(d)
        np.testing.assert_allclose(covariance, expected, atol=1e-4)


def test_distance_to_the_kernel_estimate() -> None:
    """Small, and the same on every mesh that resolves the bandwidth; no undershoots there."""
    x, width, distances = samples(2, 400), 0.35, []
    for n in (30, 45, 60):
        space = square("quadrilateral", n, 2)
        heat = HeatEquation(space)
        f = heat.smooth(put(space, x), width)
        heat.destroy()
        rule = space.cell_quadrature(8)
        values = space.at_quadrature(f, rule.basis)
        points = rule.x.reshape(-1, 2)
        squared = np.sum((points[:, None] - x.T[None]) ** 2, axis=-1)
        exact = np.exp(-0.5 * squared / width**2).mean(axis=1) / (2 * np.pi * width**2)
        error = values - exact.reshape(values.shape)
        sums = total(
            COMM, [np.sum(rule.weights * error**2), np.sum(rule.weights.ravel() * exact**2)]
        )
        distances.append(float(np.sqrt(sums[0] / sums[1])))
        assert maximum(COMM, -values.min(initial=0.0))[0] < 1e-10
    assert max(distances) < 0.03, distances
    assert np.ptp(distances) < 0.06 * distances[0], distances


def test_samples_outside_of_the_mesh_are_an_error() -> None:
    x = samples(2)
    x[:, 7] = [6.0, 0.0]
    with pytest.raises(InputError, match=r"^mesh: samples outside of it; .*class a at \(6, 0\)"):
        put(square("quadrilateral", 4, 1), x)


def test_weights_and_classes() -> None:
    """A weight counts as so many samples, and each class has mass one."""
    space, x = square("quadrilateral", 6, 2), samples(2, 40)
    y, w = np.arange(40) % 3, 1.0 + np.arange(40) % 4
    f = deposit(space, [Samples(x[:, :25], y[:25], w[:25]), Samples(x[:, 25:], y[25:], w[25:])],
                ["a", "b", "c"])  # fmt: skip
    for k in range(3):
        here = y == k
        expected = put(space, np.repeat(x[:, here], w[here].astype(int), axis=1))
        np.testing.assert_allclose(f[k], expected, atol=1e-13)


def dataset(comm: MPI.Intracomm, path: Path, **keys: object) -> Dataset:
    section = {"file": path, "label": "y", "scale": "none", "test_fraction": 0.0} | keys
    return load_data(DataSection.model_validate(section), comm)


def test_bandwidth_rules(tmp_path: Path) -> None:
    x = samples(2, 500)
    np.savez(tmp_path / "a.npz", x=x.T, y=np.arange(500) % 2)
    given = dataset(MPI.COMM_SELF, tmp_path / "a.npz")
    part = given.train.of_class(1)
    spread = np.sqrt(np.mean(np.var(part, axis=1, ddof=1)))
    assert bandwidth("scott", given, 1) == pytest.approx(250 ** (-1 / 6) * spread)
    assert bandwidth("silverman", given, 1) == pytest.approx(250 ** (-1 / 6) * spread)  # as in 2-D
    assert bandwidth(0.3, given, 1) == 0.3
    assert BANDWIDTHS["silverman"](100, 1) == pytest.approx((4 / 300) ** 0.2)
    likely = bandwidth("likelihood", given, 1)
    assert 0.5 < likely / (250 ** (-1 / 6) * spread) < 2.0


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet", "h5"])
def test_samples_do_not_depend_on_the_ranks(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels, split, scaling, extent and density; every rank reads its part of the file."""
    monkeypatch.setattr(tables, "ROWS", 23)
    monkeypatch.setattr(text_table, "BYTES", 1500)
    path = Path(COMM.bcast(str(tmp_path / f"a.{ending}"), root=0))
    if COMM.rank == 0:
        columns = dict(zip("ab", samples(2, 400), strict=True)) | {"y": np.arange(400) % 3 + 8}
        write_table(path, columns)
    COMM.Barrier()
    keys = {"scale": "standard", "test_fraction": 0.25, "features": ["a", "b"]}
    alone, shared = dataset(MPI.COMM_SELF, path, **keys), dataset(COMM, path, **keys)
    assert alone.labels == shared.labels == ("8", "9", "10")
    assert alone.counts == shared.counts == (300, 100)
    np.testing.assert_allclose(shared.matrix, alone.matrix, rtol=1e-14)
    np.testing.assert_array_equal(shared.extent, alone.extent)
    for one, other in ((alone.train, shared.train), (alone.test, shared.test)):
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_array_equal(one.y, other.y)
    space = square("quadrilateral", 12, 1)
    f = deposit(space, shared.rounds(), shared.labels)
    for k in range(3):
        expected = put(space, alone.train.of_class(k))
        assert maximum(COMM, np.abs(f[k] - expected).max(initial=0.0))[0] < 1e-12


def test_bins_do_not_depend_on_the_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS", 23)
    monkeypatch.setattr(binning, "MANY", 100)
    path = Path(COMM.bcast(str(tmp_path / "a.parquet"), root=0))
    if COMM.rank == 0:
        columns = dict(zip("ab", samples(2, 400), strict=True)) | {"y": np.arange(400) % 3}
        write_table(path, columns)
    COMM.Barrier()
    widths = np.array([0.6, 0.8, 1.0])
    (one, wide), (other, wider) = (
        binned_samples(dataset(comm, path), widths) for comm in (MPI.COMM_SELF, COMM)
    )
    assert one is not None and other is not None and one.y.size < 300
    np.testing.assert_array_equal(one.y, other.y)
    np.testing.assert_allclose(other.x, one.x, rtol=1e-12)
    np.testing.assert_allclose(other.w, one.w, rtol=1e-13)
    np.testing.assert_allclose(wider, wide, rtol=1e-13)


@pytest.mark.parametrize("cell", CELLS)
def test_ranks_without_cells(cell: str) -> None:
    """One cell a direction: all but few ranks have none, and all find the samples."""
    space, x = square(cell, 1, 1), samples(CELLS[cell])
    with together(COMM):  # so that no rank waits for one that fails
        assert Pieces.of(space).low.shape[1] == CELLS[cell]
    mass, mean, _ = moments(space, put(space, x))
    assert mass == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(mean, x.mean(axis=1), rtol=1e-10)
