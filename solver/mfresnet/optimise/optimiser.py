# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Minimisation of J as the [training] section of a case says."""

from __future__ import annotations

from collections.abc import Callable

from mfresnet.arrays import Array
from mfresnet.errors import StepsError
from mfresnet.optimise.curvature import Memory
from mfresnet.optimise.methods import METHODS
from mfresnet.optimise.result import Functional, Iteration, OptimiseResult
from mfresnet.optimise.search import Enough, Oracle, Search


def minimise(
    functional: Functional,
    theta0: Array | None = None,
    *,
    on_iteration: Callable[[Iteration], None] | None = None,
    oracle: Oracle | None = None,
    enough: Enough | None = None,
    memory: Memory | None = None,
) -> OptimiseResult:
    """Minimise J(theta) by the method of the case.

    When a trial point asks for more time steps than a layer has, their number is raised and the
    method starts again from the best iterate.

    Args:
        functional: J, of densities or of samples.
        theta0: where to start, ``functional.theta0`` when not given.
        on_iteration: called after every iteration, on all ranks.
        oracle: what answers for J; another one may answer from a log.
        enough: (the search so far) -> whether what is left is not worth it.
        memory: what other minimisations, of a J with about the same J'', have left; it is added to.

    Raises:
        InputError: a method that is unknown or needs what it does not get.
        SolveError: J cannot be computed at theta0.
        StepsError: the case gives a number of time steps that is too small at theta0.

    Parallel: collective.
    """
    search = Search(functional, theta0, on_iteration, oracle or Oracle(), enough, memory)
    run = METHODS[functional.training.method].run
    while True:
        try:
            return run(search)
        except StepsError as error:
            if functional.steps_given:
                raise
            functional.make_room(error.needed)
            search.begin()
