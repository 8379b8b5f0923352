# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The comparison with peers: its page is that of its store, its evaluator is right, and it runs."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from commands import outside

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.peers import page  # noqa: E402
from benchmarks.peers.densities import STEERINGS, carried_back, grid, measures  # noqa: E402
from benchmarks.peers.evaluator import carried, gauss_hermite, gauss_legendre  # noqa: E402
from benchmarks.peers.problems import LAYERS, PROBLEMS, TIKHONOV, quadratic_loss  # noqa: E402
from benchmarks.peers.section import LINES, SECTIONS  # noqa: E402
from benchmarks.peers.table import quality  # noqa: E402

STORE = json.loads(page.PROJECT.store.read_text()) if page.PROJECT.store.exists() else {}
PYTHONS = [path.parent / "bin/python" for path in (ROOT / "build/peers").glob("env-*/complete")]
NEVER = "make bench has not made the environment of the peers here"


def test_page_is_that_of_the_store() -> None:
    assert page.PROJECT.page.read_text() == page.text(STORE, page.PROJECT)
    readme = (ROOT / "README.md").read_text()
    assert readme.count(page.BEGIN) == 1
    assert page.with_lines(readme, STORE) == readme
    assert set(LINES) < set(SECTIONS) and len(LINES) == 5
    for name, record in STORE.items():
        assert (page.PROJECT.pictures / f"benchmarks_{name}.png").exists()
        assert not record["quick"]


def test_nodes_integrate() -> None:
    """Second moments of a Gaussian, and a polynomial on a box."""
    mean, covariance = np.array([0.3, -0.2]), np.array([[0.2, 0.06], [0.06, 0.15]])
    x, w = gauss_hermite(mean, covariance, 4)
    assert w.sum() == pytest.approx(1.0, abs=1e-14)
    assert np.einsum("n,ni,nj", w, x - mean, x - mean) == pytest.approx(covariance, abs=1e-14)
    x, w = gauss_legendre(np.array([0.0, -1.0]), np.array([2.0, 1.0]), 3)
    assert w @ (x[:, 0] ** 3 * x[:, 1] ** 4) == pytest.approx(4.0 * 0.4, rel=1e-13)


def test_points_go_where_the_equation_says() -> None:
    """On the line with W = 0 by tanh b; with W = 1 sinh x grows like exp t. RK4 has order 4."""
    x = np.array([[0.2], [-0.7]])
    W, b = np.zeros((5, 1, 1)), np.full((5, 1), 0.4)
    assert carried(x, W, b, 2.0) == pytest.approx(x + 2.0 * np.tanh(0.4), abs=1e-14)
    exact = np.arcsinh(np.sinh(x) * np.e)
    errors = [
        np.abs(carried(x, np.ones((n, 1, 1)), np.zeros((n, 1)), steps=1) - exact).max()
        for n in (4, 8)
    ]
    assert 12.0 < errors[0] / errors[1] < 22.0


@pytest.mark.parametrize("name", PROBLEMS)
def test_densities_of_a_problem_agree(name: str) -> None:
    """Nodes, density, samples and the case of the library are of the same classes."""
    problem = replace(PROBLEMS[name], exact=16)
    points, box = problem.nodes(16), problem.box_nodes(60 if problem.d < 3 else 30)
    drawn = problem.sampled(20_000, seed=1)
    for k in range(2):
        means = [p.masses[p.classes == k] @ p.x[p.classes == k] for p in (points, box, drawn)]
        assert means[0] == pytest.approx(means[1], abs=2e-3)
        assert means[0] == pytest.approx(means[2], abs=2e-2)


def test_loss_is_that_of_the_library() -> None:
    from mpi4py import MPI

    from mfresnet import Case, ParticleFunctional
    from mfresnet.data import Samples

    problem = PROBLEMS["2-D"]
    points = problem.nodes(6)
    case = Case(**problem.case(), time={"order": 4, "steps_per_layer": 2})
    samples = Samples(points.x.T.copy(), points.classes, points.masses)
    functional = ParticleFunctional(case, samples, MPI.COMM_SELF)
    theta = functional.theta0 + 0.1 * np.random.default_rng(0).standard_normal(
        functional.theta0.size
    )
    controls = functional.controls.from_vector(theta)
    assert len(controls.W) == LAYERS
    value = quadratic_loss(points, problem.targets, TIKHONOV, controls.W, controls.b)
    assert functional.value(theta) == pytest.approx(value, rel=1e-12)


def test_density_carried_back_is_the_one_of_the_flow() -> None:
    """A shift moves the Gaussian; a bent flow keeps its mass; no distance to itself."""
    steering = STEERINGS["one to two"]
    shift = {"W": np.zeros((3, 1, 2)), "b": np.full((3, 1), 0.5), "V": np.zeros((3, 2, 1)),
             "c": np.tile([0.3, -0.1], (3, 1))}  # fmt: skip
    x, area = grid()
    moved = np.log(steering.start.density(x - np.array([0.3, -0.1])))
    assert carried_back(steering.start, shift) == pytest.approx(moved, abs=1e-9)
    rng = np.random.default_rng(0)
    bent = {"W": rng.standard_normal((3, 4, 2)), "b": rng.standard_normal((3, 4)),
            "V": 0.4 * rng.standard_normal((3, 2, 4)), "c": np.zeros((3, 2))}  # fmt: skip
    assert area * np.exp(carried_back(steering.start, bent)).sum() == pytest.approx(1.0, abs=1e-3)
    target = np.log(steering.target.density(x))
    assert measures(steering, target) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert measures(steering, moved)[0] > 0.1


def test_quality_of_probabilities() -> None:
    """Of three rows two are right; the mean probability of the chosen class is 0.8."""
    found = quality(np.array([[0.8, 0.2], [0.2, 0.8], [0.2, 0.8]]), np.array([0, 1, 0]))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["log_loss"] == pytest.approx(-(2 * np.log(0.8) + np.log(0.2)) / 3)
    assert found["calibration"] == pytest.approx(0.8 - 2 / 3)


def test_lines_stand_between_their_marks() -> None:
    text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    made = page.with_lines(text, {})
    assert made.startswith(f"before\n{page.BEGIN}\n| ") and made.endswith(f"{page.END}\nafter\n")
    assert "old" not in made and page.with_lines(made, {}) == made


def quick(python: Path | str, out: Path, *names: str) -> dict[str, object]:
    line = [str(python), "-m", "benchmarks.peers", "--quick", "--out", str(out), "--only", *names]
    done = subprocess.run(
        line, cwd=ROOT, env=outside(), capture_output=True, text=True, timeout=580, check=False
    )
    assert done.returncode == 0, done.stderr
    text = (out / "benchmarks.md").read_text()
    for name in names:
        assert f"](benchmarks_{name}.png)" in text and (out / f"benchmarks_{name}.png").exists()
    return json.loads((out / "results.json").read_text())


def test_a_section_runs_with_what_is_here(tmp_path: Path) -> None:
    """Ours and PyTorch; what is not installed is said so on the page."""
    pytest.importorskip("torch")
    record = quick(sys.executable, tmp_path, "densities")["densities"]
    assert record["quick"] and "one to two" in record["found"]
    missing = [name for name, version in record["versions"].items() if not version]
    assert all(name in (tmp_path / "benchmarks.md").read_text() for name in missing)


@pytest.mark.skipif(not PYTHONS, reason=NEVER)
@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_runs_with_its_peers(name: str, tmp_path: Path) -> None:
    assert quick(PYTHONS[0], tmp_path, name)[name]
