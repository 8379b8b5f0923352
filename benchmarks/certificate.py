# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Is the certificate right? Random cases on the line, trained; their true loss by quadrature.

The truth knows nothing of the package but the trained controls: Gauss points of every initial
Gaussian are carried by an adaptive Runge-Kutta method. Counted are trainings whose loss is off by
more than 1 % and that pass in silence (exit status 0, no warning, every line of the certificate),
which must be none, and those right to 1e-4 that fail, which may be 2 %.
Run: docker/run python3 benchmarks/certificate.py --cases 300 --seed 1
"""

from __future__ import annotations

from mpi4py import MPI

import argparse
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit

from mfresnet.arrays import Array
from mfresnet.case import Case, parse
from mfresnet.errors import Exit, InputError, SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.output import run_report
from mfresnet.training import Trained, train
from mfresnet.verification import certify

OFF, RIGHT, TOLERATED = 1e-2, 1e-4, 0.02
ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": expit,
    "sin": np.sin,
    "softplus": lambda u: np.logaddexp(u, 0.0),
    "relu": lambda u: np.maximum(u, 0.0),
    "identity": lambda u: u,
}
SHARES = (0.5, 0.1, 0.1, 0.1, 0.1, 0.1)
"""How often each of them is drawn."""
PANELS, POINTS, WIDTHS = 60, 12, 9.0
"""Gauss points on +- 9 standard deviations."""


def draw(rng: np.random.Generator) -> Case:
    """Return a random case with default settings."""
    activation = str(rng.choice(list(ACTIVATIONS), p=SHARES))
    final_time = float(rng.uniform(0.5, 2.0))
    classes, ends = [], []
    for _ in range(rng.integers(1, 3)):
        mean, std = float(rng.uniform(-1.0, 1.0)), float(10 ** rng.uniform(-1.3, -0.3))
        target = mean + float(rng.uniform(-1.8, 1.8))
        density = {"kind": "gaussian", "mean": mean, "covariance": std**2}
        classes.append({"density": density, "target": target})
        ends += [mean - 6.0 * std, mean + 6.0 * std, target - 6.0 * std, target + 6.0 * std]
    mesh: dict[str, Any] = {"cell": "interval", "cells": [round(15 * 10 ** rng.uniform(0.0, 1.0))]}
    if activation in ("softplus", "relu", "identity"):
        mesh |= {"lower": [min(ends) - 0.5], "upper": [max(ends) + 0.5]}
    degree = int(rng.integers(1, 5))
    return parse(
        {
            "mesh": mesh,
            "space": {"degree": degree},
            "network": {"activation": activation, "final_time": final_time},
            "classes": classes,
            "penalty": {"tikhonov": float(10 ** rng.uniform(-4.0, -1.0))},
            "output": {"fields": False, "pictures": False},
        }
    )


def true_loss(case: Case, controls: dict[str, Array]) -> float:
    """Return the mean of 1/2 |X - target|^2, X the flow of x' = sigma(W x + b)."""
    sigma, loss = ACTIVATIONS[case.network.activation], 0.0
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    edges = np.linspace(-WIDTHS, WIDTHS, PANELS + 1)
    z = (0.5 * (edges[1:, None] + edges[:-1, None]) + 0.5 * np.diff(edges)[:, None] * nodes).ravel()
    w = np.tile(weights, PANELS) * np.exp(-0.5 * z**2)
    dt = case.network.final_time / case.network.layers
    for section, share in zip(case.classes, case.class_weights(), strict=True):
        assert section.target is not None
        density: Any = section.density
        x = density.mean[0] + np.sqrt(density.covariance[0][0]) * z
        for slope, bias in zip(controls["W"][:, 0, 0], controls["b"][:, 0], strict=True):
            moved = solve_ivp(
                lambda t, y, s=slope, b=bias: sigma(s * y + b),
                (0.0, dt), x, method="DOP853", rtol=1e-10, atol=1e-12,
            )  # fmt: skip
            x = moved.y[:, -1]
        loss += share * float(w @ (0.5 * (x - section.target[0]) ** 2) / w.sum())
    return loss


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    Attributes:
        error: |loss - truth| / truth; None where the training could not be done.
        exit: the exit status of the run.
        status: the name of its status.
        warned: the beginnings of its warnings.
        failed: the lines of the certificate that fail.
        text: the case in short.
    """

    error: float | None
    exit: Exit
    status: str
    warned: tuple[str, ...]
    failed: tuple[str, ...]
    text: str

    @property
    def silent(self) -> bool:
        """Whether nothing at all says that something is wrong."""
        return self.exit is Exit.CONVERGED and not self.warned and not self.failed

    @property
    def accused(self) -> bool:
        """Whether the numbers are said to be wrong; that the optimiser stopped early is not it."""
        numbers = self.status in ("loss_error", "outflow")
        return numbers or bool(self.warned) or bool(self.failed)

    def line(self) -> str:
        """Return one line of text."""
        error = "none" if self.error is None else f"{self.error:.1e}"
        said = ", ".join((self.status, *self.warned, *self.failed))
        return f"{error:>8}  {int(self.exit)}  {self.text}: {said}"


def examine(case: Case) -> Outcome:
    """Train a case, and look at what a user would be told about it."""
    text = (
        f"{case.cells()[0]} cells of degree {case.space.degree}, {case.network.activation}, "
        f"T {case.network.final_time:.2g}, tikhonov {case.penalty.tikhonov.weight:.1e}, "
        + " and ".join(
            f"N({c.density.mean[0]:.2g}, {c.density.covariance[0][0]:.2g}) to {c.target[0]:.2g}"  # type: ignore[index]
            for c in case.classes
        )
    )
    try:
        functional = ReducedFunctional(case, MPI.COMM_SELF)
        result, stages = train(functional)
    except (InputError, SolveError) as error:
        return Outcome(None, Exit.FAILED, str(error)[:60], (), (), text)
    report, status = run_report(Trained(functional, result, stages), None, 0.0)
    truth = true_loss(functional.case, dict(functional.controls.from_vector(result.theta).values))
    try:
        checks = certify(functional, result.theta)
        failed = [check.name for check in checks if not check.passed]
    except SolveError as error:  # what the command ends with
        failed = [str(error)[:60]]
    return Outcome(
        abs(report.objective.loss - truth) / truth,
        status,
        report.status,
        tuple(sentence[:50] for sentence in report.warnings),
        tuple(failed),
        text,
    )


def main() -> int:
    """Return 0 when the counts are as they must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="print every case")
    given = parser.parse_args()
    rng, found = np.random.default_rng(given.seed), []
    for _ in range(given.cases):
        found.append(examine(draw(rng)))
        if given.verbose:
            print(found[-1].line(), flush=True)
    trained = [o for o in found if o.error is not None]
    off = [o for o in trained if o.error is not None and o.error > OFF]
    right = [o for o in trained if o.error is not None and o.error < RIGHT]
    silent, accused = [o for o in off if o.silent], [o for o in right if o.accused]
    between = [o for o in trained if o not in off and o not in right]
    early = [o for o in right if o.status not in ("converged", "loss_error", "outflow")]
    print(f"{given.cases} cases of seed {given.seed}")
    rows = [
        ("refused, no loss to compare", len(found) - len(trained)),
        (f"off by more than {OFF:.0%}", len(off)),
        ("  passed in silence", len(silent)),
        (f"right to {RIGHT:.0e}", len(right)),
        ("  failed or warned about", len(accused)),
        ("  whose optimiser stopped early", len(early)),
        ("in between", len(between)),
        ("  failed or warned about", sum(o.accused for o in between)),
    ]
    for name, count in rows:
        print(f"{name:<32} {count:>5}")
    for outcome in silent + accused:
        print(outcome.line())
    for name, count in Counter(n for o in right for n in (*o.failed, *o.warned)).most_common():
        print(f"{count:>5} right cases: {name}")
    return int(bool(silent) or len(accused) > TOLERATED * len(right))


if __name__ == "__main__":
    raise SystemExit(main())
