# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a run trains, and how it is introduced to the user."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable
from dataclasses import dataclass

from mfresnet.case import Case, Population, asked, populate
from mfresnet.functional import ReducedFunctional
from mfresnet.mesh import MESHES
from mfresnet.optimise import Iteration, Oracle
from mfresnet.output import Progress
from mfresnet.training import Stage, Trained, train_case
from mfresnet.verification import undershoots


@dataclass(frozen=True)
class Job:
    """What is to be trained.

    Attributes:
        case: the case, with everything filled in but the mesh where it is chosen on the way.
        population: the classes.
        comm: the communicator.
        functional: J where the mesh is given.
    """

    case: Case
    population: Population
    comm: MPI.Intracomm
    functional: ReducedFunctional | None

    @staticmethod
    def of(case: Case, comm: MPI.Intracomm, functional: ReducedFunctional | None) -> Job:
        """Return the job of a case; J may be there already."""
        if functional is None and case.wanted_accuracy() is None:
            functional = ReducedFunctional(case, comm)
        if functional is not None:
            return Job(functional.case, functional.population, comm, functional)
        population = populate(case, comm)
        return Job(asked(case, population), population, comm, None)

    def train(
        self,
        oracle: Oracle,
        on_iteration: Callable[[Iteration], None],
        on_stage: Callable[[Stage], None],
    ) -> Trained:
        """Train on the given mesh, or to the accuracy that is wanted."""
        given = self.case, self.population, self.comm, self.functional
        return train_case(*given, oracle=oracle, on_iteration=on_iteration, on_stage=on_stage)


def introduce(job: Job, progress: Progress) -> None:
    """Say what is trained, on which mesh, and from which samples."""
    case, population, functional = job.case, job.population, job.functional
    ranks = f"{job.comm.size} rank{'s' * (job.comm.size > 1)}"
    title = case.title or "mfresnet"
    if functional is None:
        accuracy = case.wanted_accuracy()
        assert accuracy is not None
        progress.say(
            f"{title}: {case.network.layers} layers, the mesh for a relative error of J of "
            f"{accuracy.relative:.1g}, {ranks}"
        )
    else:
        progress.say(f"{title}: {_mesh(functional)}, {ranks}")
        progress.say(functional.memory_sentence())
    dataset = population.dataset
    if dataset is not None and population.bandwidths is not None:
        pairs = zip(population.labels, population.bandwidths, strict=True)
        widths = ", ".join(f"{label} {width:.3g}" for label, width in pairs)
        progress.say(
            f"{dataset.train.y.size} samples for training and {dataset.test.y.size} for the test, "
            f"{len(dataset.features)} features made {dataset.dimension} coordinates, bandwidth "
            f"{widths}"
        )
    if functional is None:
        return
    worst = float(abs(functional.problem.initial_mass - 1.0).max())
    if worst > case.mesh.outflow_tolerance:
        progress.say(f"The initial mass on the mesh differs from 1 by {worst:.2e}.")
    for sentence in undershoots(functional.problem):
        progress.say(f"Warning: {sentence}")


def _mesh(functional: ReducedFunctional) -> str:
    """Return the discretisation of J in words."""
    case, space, controls = functional.case, functional.problem.space, functional.controls
    cells = " x ".join(map(str, case.cells()))
    if not MESHES[case.mesh.kind].grid:
        cells = str(space.mesh.topology.index_map(space.dimension).size_global)
    return (
        f"{cells} {space.cell} cells of degree {space.degree}, "
        f"{space.n_global} degrees of freedom a class, {controls.layers} layers of "
        f"{functional.steps_per_layer} steps, {controls.size} controls"
    )
