# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Every head against finite differences, and prototypes against what they are made for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from mfresnet.arrays import Array
from mfresnet.network.heads import HEADS

D, CLASSES, SIZE, N, STEP = 2, 3, 4, 7, 1e-6


def drawn(name: str, seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    shapes = HEADS[name].shapes(D, CLASSES, SIZE)
    return {key: rng.standard_normal(shape) for key, shape in shapes.items()}


def moved(head: dict[str, Array], h: dict[str, Array], size: float) -> dict[str, Array]:
    return {name: value + size * h[name] for name, value in head.items()}


@pytest.mark.parametrize("name", HEADS)
def test_derivatives(name: str) -> None:
    """Of scores, and of what their derivatives make of a fixed g."""
    row, rng = HEADS[name], np.random.default_rng(0)
    head, h = drawn(name, 1), drawn(name, 2)
    x, dx = rng.standard_normal((2, D, N))
    g = rng.standard_normal((CLASSES, N))

    def change(function: object) -> Array:
        assert callable(function)
        ends = [function(x + s * dx, moved(head, h, s)) for s in (STEP, -STEP)]
        return (ends[0] - ends[1]) / (2.0 * STEP)

    along = row.push(x, head, dx) + row.jvp(x, head, h)
    np.testing.assert_allclose(along, change(row.scores), rtol=1e-7, atol=1e-8)
    parts = row.vjp(x, head, g)
    paired = sum(np.sum(parts[key] * h[key]) for key in h) + np.sum(row.pull(x, head, g) * dx)
    assert paired == pytest.approx(np.sum(g * along), rel=1e-12)
    pulled, changes = row.second(x, head, g, dx, h)
    np.testing.assert_allclose(pulled, change(lambda x, p: row.pull(x, p, g)), atol=1e-7)
    for key, value in changes.items():
        expected = change(lambda x, p, key=key: row.vjp(x, p, g)[key])
        np.testing.assert_allclose(value, expected, atol=1e-7)


def test_prototypes_are_nearest_centres() -> None:
    """The probabilities are those of Gaussians of one variance around the centres."""
    rng, spread, row = np.random.default_rng(4), 0.3, HEADS["prototypes"]
    assert row.start is not None
    clusters = [(rng.standard_normal((D, SIZE)), rng.random(SIZE)) for _ in range(CLASSES)]
    head, x = row.start(clusters, spread), rng.standard_normal((D, N))
    logs = [
        logsumexp(
            -0.5 * np.sum((x[:, None] - c[..., None]) ** 2, axis=0) / spread,
            axis=0,
            b=w[:, None],
        )
        for c, w in clusters
    ]
    np.testing.assert_allclose(softmax(row.scores(x, head), axis=0), softmax(logs, axis=0))
    assert row.size(head) == SIZE and HEADS["linear"].size(drawn("linear", 0)) == 1


def test_far_points_have_scores() -> None:
    """No overflow where the largest of the exponents is thousands."""
    scores = HEADS["prototypes"].scores(np.full((D, N), 1e4), drawn("prototypes", 3))
    assert np.isfinite(scores).all()


def test_units_begin_at_the_best_fit() -> None:
    """Better than a line, no worse when numbers are scaled, and by the masses of the points."""
    row, rng = HEADS["units"], np.random.default_rng(5)
    assert row.fitted is not None and row.scaled is not None
    x, w = rng.uniform(-2.0, 2.0, (1, 400)), rng.random(400)
    y = np.sin(2.0 * x[0])
    head = row.fitted(x, y, w, row.usual, 0)
    left = np.average((row.scores(x, head)[0] - y) ** 2, weights=w)
    line = np.polynomial.Polynomial.fit(x[0], y, 1, w=np.sqrt(w))(x[0])
    assert left < 0.05 * np.average((line - y) ** 2, weights=w)
    np.testing.assert_allclose(
        row.scores(x, row.scaled(head, 3.0, 7.0)), 3 * row.scores(x, head) + 7
    )
    twice = row.fitted(np.hstack([x, x]), np.hstack([y, y]), np.hstack([w, 0.0 * w]), row.usual, 0)
    assert np.average((row.scores(x, twice)[0] - y) ** 2, weights=w) == pytest.approx(left, rel=1.0)
    assert {n: v.shape for n, v in head.items()} == row.shapes(1, 1, row.usual)
