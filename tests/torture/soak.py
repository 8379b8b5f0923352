# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Many iterations and many functionals in one process, and interrupts in the middle."""

from mpi4py import MPI

import gc
import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from helpers import make_case
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.optimise.optimiser import minimise
from torture.chapter import Chapter, Outcomes

FUNCTIONALS, ITERATIONS, INTERRUPTS = 200, 2000, 8
WARM = 0.25
"""Share of the work after which nothing may grow."""
GROWTH = 8.0
"""MB that the process may grow by after that."""


def held() -> tuple[float, int, int]:
    """Return the memory of this process in MB, its open files, and its communicators."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    duplicate = MPI.COMM_SELF.Dup()  # the first free number
    number = duplicate.py2f()
    duplicate.Free()
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir("/proc/self/fd")), number


class Flat:
    """Holds memory, files and communicators to what they are when a share of the work is done."""

    def __init__(self, work: int) -> None:
        self.work, self.done = work, 0
        self.first: tuple[float, int, int] | None = None

    def count(self, *_: Any) -> None:
        self.done += 1
        if self.done == int(WARM * self.work):
            self.first = held()

    def check(self) -> None:
        assert self.first is not None and self.done >= self.work, self.done
        memory, files, communicators = held()
        assert memory < self.first[0] + GROWTH, f"{self.first[0]:.1f} MB have become {memory:.1f}"
        assert files <= self.first[1], f"{self.first[1]} open files have become {files}"
        assert communicators <= self.first[2], "communicators are left"


def functionals(flat: Flat) -> None:
    """Make J anew, with a derivative and a Hessian action; every fourth with a limiter."""
    for number in range(FUNCTIONALS):
        limited = {"limiter": "zhang_shu"} if number % 4 == 0 else {}
        functional = ReducedFunctional(
            make_case("interval", time=limited, network={"layers": 2}), MPI.COMM_SELF
        )
        functional.value(functional.theta0)
        functional.derivative(functional.theta0)
        flat.count()


def iterations(flat: Flat) -> None:
    """Minimise the same J from many random controls, until all iterations are made."""
    case = make_case("interval", network={"layers": 3}, training={"gradient_tolerance": 1e-12})
    functional, rng = ReducedFunctional(case, MPI.COMM_SELF), np.random.default_rng(0)
    while flat.done < ITERATIONS:
        theta = 0.3 * rng.standard_normal(functional.theta0.size)
        minimise(functional, theta, on_iteration=flat.count)


def interrupts(seed: int) -> Outcomes:
    """Press Ctrl-C while J is minimised: the same J can be minimised again, to the same bits."""
    found: Outcomes = Counter()
    rng = np.random.default_rng(seed)
    case = make_case("interval", network={"layers": 3})
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    right = minimise(ReducedFunctional(case, MPI.COMM_SELF)).theta.tobytes()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for number in range(INTERRUPTS):
            wait = float(rng.uniform(0.0, 0.1))
            timer = threading.Timer(wait, os.kill, (os.getpid(), signal.SIGINT))
            try:
                timer.start()
                minimise(functional)
                timer.join()
                found["Ctrl-C after the end"] += 1
            except KeyboardInterrupt:
                found["Ctrl-C in the middle, then the same bits"] += 1
            again = minimise(ReducedFunctional(case, MPI.COMM_SELF)).theta.tobytes()
            assert again == right, f"interrupt {number}, another functional: other bits"
            functional.value(functional.theta0)
            assert np.isfinite(functional.derivative(functional.theta0)).all()
    finally:
        signal.signal(signal.SIGINT, before)
    return found


def trial(seed: int, directory: Path) -> Outcomes:
    """Seed 1: functionals; seed 2: iterations; others: interrupts."""
    if seed not in (1, 2):
        return interrupts(seed)
    work, of = {1: (FUNCTIONALS, functionals), 2: (ITERATIONS, iterations)}[seed]
    flat = Flat(work)
    of(flat)
    flat.check()
    what = {1: "functionals", 2: "iterations"}[seed]
    return Counter({f"{what} in one process; memory, files and communicators are flat": work})


CHAPTER = Chapter(
    name="soak",
    what=f"{FUNCTIONALS} functionals, and {ITERATIONS} iterations, in one process: after a "
    f"quarter of them memory grows by less than {GROWTH:g} MB, open files and communicators not at "
    f"all. And {INTERRUPTS} interrupts a seed in the middle of a minimisation.",
    trial=trial,
    quick=1,
    full=10,
)
