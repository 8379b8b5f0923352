# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The bandwidth of a class by the likelihood of samples that are left out in turn."""

from mpi4py import MPI

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.neighbors import KernelDensity

from helpers import write_table
from mfresnet.arrays import Array
from mfresnet.data.deposition import SHARP, bandwidth, scott
from mfresnet.data.section import DataSection
from mfresnet.data.tables.dataset import Dataset, load_data


def dataset(directory: Path, x: Array, y: Array, w: Array | None = None) -> Dataset:
    """Return samples x, (d, n), of the classes y as they are."""
    columns: dict[str, Any] = {f"x{i}": row for i, row in enumerate(x)} | {"y": y}
    weights = {} if w is None else {"weights": "w"}
    write_table(directory / "a.parquet", columns | ({} if w is None else {"w": w}))
    section = {"file": directory / "a.parquet", "label": "y", "test_fraction": 0.0, "scale": "none"}
    return load_data(DataSection.model_validate(section | weights), MPI.COMM_SELF)


def two_pieces(n: int, deviation: float, d: int = 1, seed: int = 0) -> Array:
    """Return samples of a class in two pieces that are far from one another."""
    rng = np.random.default_rng(seed)
    return deviation * rng.standard_normal((d, n)) + 20.0 * (np.arange(n) % 2)


def test_pieces_are_not_blurred(tmp_path: Path) -> None:
    """Class by class: the width of a piece, where the rule has that of both together."""
    x = np.concatenate([two_pieces(1500, 0.3), two_pieces(1500, 3.0, seed=1)], axis=1)
    data = dataset(tmp_path, x, np.repeat([0, 1], 1500))
    found = [bandwidth("likelihood", data, k) for k in (0, 1)]
    rules = [bandwidth("scott", data, k) for k in (0, 1)]
    for h, deviation in zip(found, (0.3, 3.0), strict=True):
        assert 0.6 < h / (deviation * scott(750, 1)) < 1.7
    assert rules[0] > 5.0 * found[0] and found[1] > 5.0 * found[0]


def test_it_is_the_likeliest_on_new_samples(tmp_path: Path) -> None:
    """Nearly as good on samples that it has not seen as the best of all widths."""
    x, new = two_pieces(800, 1.0, 2), two_pieces(4000, 1.0, 2, seed=5)
    data = dataset(tmp_path, np.concatenate([x, x + 5.0], axis=1), np.repeat([0, 1], 800))

    def score(h: float) -> float:
        return float(KernelDensity(bandwidth=h).fit(x.T).score_samples(new.T).mean())

    best = max(score(h) for h in np.geomspace(0.05, 5.0, 40))
    assert score(bandwidth("likelihood", data, 0)) > best - 0.01
    assert score(bandwidth("scott", data, 0)) < best - 0.1


@pytest.mark.parametrize("d", [1, 2])
def test_more_samples_have_narrower_kernels(d: int, tmp_path: Path) -> None:
    """By n^(-1/(d+4)), though no more than 1000 of them are looked at."""
    widths = []
    for n in (2000, 40_000):
        x = norm.ppf(np.random.default_rng(3).random((d, 2 * n)))
        data = dataset(tmp_path, x, np.repeat([0, 1], n))
        widths.append(bandwidth("likelihood", data, 0))
    # one step of the widths that are tried is a factor of 1.1
    assert widths[1] / widths[0] == pytest.approx(20.0 ** (-1.0 / (d + 4)), rel=0.25)


def test_weights_count(tmp_path: Path) -> None:
    """Samples without weight are not there, and light ones hardly."""
    x = np.concatenate([two_pieces(600, 0.3), two_pieces(600, 5.0, seed=1)], axis=1)
    y, light = np.tile([0, 1], 600), np.repeat([1.0, 0.0], 600)
    alone = dataset(tmp_path, x[:, :600], y[:600])
    expected = bandwidth("likelihood", alone, 0)
    for least in (0.0, 1e-9):
        data = dataset(tmp_path, x, y, np.maximum(light, least))
        assert bandwidth("likelihood", data, 0) == pytest.approx(expected, rel=0.35)
    equal = dataset(tmp_path, x, y, np.full(1200, 7.0))
    unweighted = dataset(tmp_path, x, y)
    assert bandwidth("likelihood", equal, 0) == pytest.approx(
        bandwidth("likelihood", unweighted, 0), rel=1e-12
    )
    assert bandwidth("likelihood", unweighted, 0) > 1.5 * expected


def test_sharp_kernels_are_no_wider_than_a_share_of_all_data(tmp_path: Path) -> None:
    """Where the likeliest ones are wider; else they are these."""
    rng = np.random.default_rng(4)
    few, many = rng.standard_normal((2, 40)), two_pieces(1500, 0.1, 2)
    x = np.concatenate([few, many], axis=1)
    data = dataset(tmp_path, x, np.repeat([0, 1], (40, 1500)))
    deviation = np.sqrt(np.mean(np.var(x, axis=1)))
    wide, narrow = (bandwidth("likelihood", data, k) for k in (0, 1))
    assert narrow < SHARP * deviation
    assert bandwidth("sharp", data, 1) == narrow
    lone = dataset(tmp_path, np.concatenate([few, few + 3.0], axis=1), np.repeat([0, 1], 40))
    all_data = np.concatenate([few, few + 3.0], axis=1)
    expected = SHARP * np.sqrt(np.mean(np.var(all_data, axis=1)))
    assert bandwidth("sharp", lone, 0) == pytest.approx(expected) and expected < wide
