# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The training of a case: to its accuracy, or on its mesh and levels."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable

from mfresnet.case import Case, Population
from mfresnet.functional import ReducedFunctional
from mfresnet.optimise import Iteration, Oracle
from mfresnet.training.accuracy import AccuracySearch
from mfresnet.training.levels import Stage, train
from mfresnet.training.minimisation import Minimisation
from mfresnet.training.result import History, Trained


def train_case(
    case: Case,
    population: Population,
    comm: MPI.Intracomm,
    functional: ReducedFunctional | None = None,
    *,
    oracle: Oracle | None = None,
    on_iteration: Callable[[Iteration], None] | None = None,
    on_stage: Callable[[Stage], None] | None = None,
) -> Trained:
    """Train a case: to its accuracy where one is wanted, else on its mesh and its levels.

    Args:
        case: the case.
        population: its classes.
        comm: the communicator.
        functional: J of the case, where it has been made and no accuracy is wanted.
        oracle: what answers for J.
        on_iteration: called after every iteration, on all ranks.
        on_stage: called after every minimisation, on all ranks.

    Raises:
        InputError: the case does not fit the mesh, or the memory does not hold it.
        SolveError: J cannot be computed at any start.

    Parallel: collective.
    """
    if functional is None and case.wanted_accuracy() is not None:
        search = AccuracySearch(case, population, comm, oracle or Oracle(), on_iteration, on_stage)
        return search.run()
    f = ReducedFunctional(case, comm, population) if functional is None else functional
    found, history = None, History(on_iteration, on_stage)
    if case.training.levels == "auto":
        first = Minimisation(oracle or Oracle(), history)
        found = f.controls.initial if first.by_points(f) else None
        first.forget()
    result, stages = train(
        f, on_iteration=on_iteration, oracle=oracle, on_stage=on_stage, found=found
    )
    return Trained(f, result, (*history.stages, *stages))
