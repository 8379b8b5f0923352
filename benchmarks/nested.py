# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Nested iteration against starting on the finest level, on two classes in the plane.

Prints the seconds until J is within 1e-6 of its least value, relative, and their ratio.
Run: docker/run python3 benchmarks/nested.py
"""

from __future__ import annotations

from mpi4py import MPI

from pathlib import Path

from mfresnet.case import load
from mfresnet.functional import ReducedFunctional
from mfresnet.training import train

CASE = Path(__file__).parents[1] / "cases/two_classes_2d.toml"
FINE = ["penalty.tikhonov=0.03", "mesh.cells=[48, 48]", "network.layers=40"]
LEVELS = """training.levels=[
    {cells = [12, 12], layers = 10, gradient_tolerance = 1e-3},
    {cells = [24, 24], layers = 20, gradient_tolerance = 1e-3},
    {cells = [24, 24], layers = 40, gradient_tolerance = 1e-4},
]"""
CLOSE = 1e-6


def measure(settings: list[str]) -> float:
    """Return the seconds until the history is close to its end, coarser levels included."""
    functional = ReducedFunctional(load(CASE, settings), MPI.COMM_WORLD)
    result, stages = train(functional)
    before = sum(stage.seconds for stage in stages[:-1])
    enough = result.value * (1.0 + CLOSE)
    seconds = next(row.seconds for row in result.history if row.objective <= enough)
    if MPI.COMM_WORLD.rank == 0:
        for stage in stages:
            print(f"  {stage.sentence()} {stage.seconds:.2f} s")
        print(f"  J = {result.value:.12g}, close after {before + seconds:.2f} s")
    return before + seconds


if __name__ == "__main__":
    fine, nested = measure(FINE), measure([*FINE, LEVELS])
    if MPI.COMM_WORLD.rank == 0:
        print(f"nested iteration is {fine / nested:.2f} times as fast")
