# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Many samples in bins that are finer than their kernels."""

from mpi4py import MPI

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import write_table
from mfresnet.arrays import Array
from mfresnet.case import binning
from mfresnet.case.binning import MANY, Bins, binned_samples
from mfresnet.data.section import DataSection
from mfresnet.data.tables.dataset import Dataset, load_data


def dataset(directory: Path, x: Array, y: Array, w: Array | None = None) -> Dataset:
    """Return samples x, (d, n), of the classes y as they are."""
    columns: dict[str, Any] = {f"x{i}": row for i, row in enumerate(x)} | {"y": y}
    given = {} if w is None else {"w": w}
    write_table(directory / "a.parquet", columns | given)
    section: dict[str, Any] = {
        "file": directory / "a.parquet",
        "label": "y",
        "test_fraction": 0.0,
        "scale": "none",
    }
    section |= {} if w is None else {"weights": "w"}
    return load_data(DataSection.model_validate(section), MPI.COMM_SELF)


def rings(d: int, n: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Return samples near the unit sphere and in a ball, (d, n), their classes and weights."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    x = rng.standard_normal((d, n))
    x[:, y == 1] /= np.linalg.norm(x[:, y == 1], axis=0)
    return x + 0.05 * rng.standard_normal((d, n)), y, rng.uniform(0.5, 2.0, n)


def kernels(x: Array, w: Array, width: float, at: Array) -> Array:
    """Return the kernel density of samples x, (d, n), of mass one at points (d, m)."""
    found = np.zeros(at.shape[1])
    for j, point in enumerate(at.T):
        squares = np.sum((x - point[:, None]) ** 2, axis=0)
        found[j] = w @ np.exp(-0.5 * squares / width**2)
    return found / (w.sum() * (np.sqrt(2 * np.pi) * width) ** len(x))


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_density_stays_what_it_is(d: int, tmp_path: Path) -> None:
    x, y, w = rings(d, MANY + 1000)
    widths = np.array([0.3, 0.15])
    few, wider = binned_samples(dataset(tmp_path, x, y, w), widths)
    assert few is not None and few.y.size < (0.05, 0.3, 0.8)[d - 1] * y.size
    at = rings(d, 60, seed=1)[0]
    for k, width in enumerate(widths):
        mine, his = y == k, few.y == k
        exact = kernels(x[:, mine], w[mine], width, at)
        found = kernels(few.x[:, his], few.w[his], wider[k], at)
        error = np.abs(found - exact).max()
        assert error < 1e-3 * exact.max()
        if k or d == 3:
            continue
        unchanged = kernels(few.x[:, his], few.w[his], width, at)  # the lost variance matters
        assert np.abs(unchanged - exact).max() > 2 * error


@pytest.mark.parametrize("d", [1, 2, 3])
def test_mass_mean_and_variance_stay(d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binning, "PENDING", 100)  # merged many times
    x, _, w = rings(d, 5000)
    bins = Bins(x.min(axis=1), x.max(axis=1), 0.2)
    for part in np.array_split(np.arange(5000), 17):
        bins.add(x[:, part], w[part])
    points, mass, lost = bins.points()
    assert mass.size < 5000 and mass.sum() == pytest.approx(w.sum(), rel=1e-13)
    assert points @ mass == pytest.approx(x @ w, rel=1e-11)
    second = np.sum(mass * points**2) + d * lost * mass.sum()
    assert second == pytest.approx(np.sum(w * x**2), rel=1e-12)


def test_one_bin_has_one_point() -> None:
    bins = Bins(np.zeros(2), np.ones(2), 0.5)
    bins.add(np.array([[0.1, 0.3, 0.9], [0.1, 0.2, 0.9]]), np.array([1.0, 3.0, 0.0]))
    points, mass, lost = bins.points()
    assert points == pytest.approx(np.array([[0.25], [0.175]]), rel=1e-14)  # no weight, no point
    assert mass.tolist() == [4.0]
    assert lost == pytest.approx((0.0075 + 0.001875) / 2, rel=1e-12)


def test_samples_are_kept_where_bins_do_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y, _ = rings(2, MANY + 1000)
    many = dataset(tmp_path, x, y)
    widths = np.array([0.2, 0.2])
    assert binned_samples(many, widths)[0] is not None
    assert binned_samples(replace(many, counts=(MANY - 1, 0)), widths)[0] is None
    assert binned_samples(many, np.array([0.0, 0.2]))[0] is None
    far = many.extent * 1e12  # more bins than there are numbers
    few, unchanged = binned_samples(replace(many, extent=far), widths)
    assert few is None and unchanged is widths
    monkeypatch.setattr(binning, "PENDING", 1000)
    monkeypatch.setattr(binning, "MOST", 1000)
    assert binned_samples(many, widths / 50)[0] is None
