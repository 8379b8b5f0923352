# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a run trains, and how it is introduced to the user."""

from __future__ import annotations

from mpi4py import MPI

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mfresnet.case import Case, Population, asked, populate
from mfresnet.errors import SolveError
from mfresnet.functional import ReducedFunctional
from mfresnet.mesh import MESHES
from mfresnet.optimise import Iteration, Oracle
from mfresnet.output import Progress, costs_table, in_seconds
from mfresnet.training import Stage, Trained, Work, load_machine, train_case, worth_it
from mfresnet.verification import lower_bound, undershoots


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
        """Train on the given mesh, or to the accuracy that is wanted.

        Raises:
            SolveError: J cannot be computed at any start, or on any mesh at the controls found.
        """
        given = self.case, self.population, self.comm, self.functional
        trained = train_case(*given, oracle=oracle, on_iteration=on_iteration, on_stage=on_stage)
        if trained.error is None and trained.limit:
            raise SolveError(trained.limit)
        return trained


def introduce(job: Job, progress: Progress) -> None:
    """Say what is trained, on which mesh; and, where more is wanted, from which samples."""
    case, population, functional = job.case, job.population, job.functional
    ranks = f"{job.comm.size} rank{'s' * (job.comm.size > 1)}"
    network = f"{case.network.layers} layers ({case.network.block}, {case.network.activation})"
    title = case.title or "mfresnet"
    if functional is None:
        accuracy = case.wanted_accuracy()
        assert accuracy is not None
        progress.say(
            f"{title}: {network}, the mesh for a relative error of J of "
            f"{accuracy.relative:.1g}, {ranks}"
        )
    else:
        progress.say(f"{title}: {network}, {_mesh(functional)}, {ranks}")
        progress.tell(functional.memory_sentence())
    dataset = population.dataset
    if dataset is not None and population.bandwidths is not None:
        pairs = zip(population.labels, population.bandwidths, strict=True)
        widths = ", ".join(f"{label} {width:.3g}" for label, width in pairs)
        progress.tell(
            f"{dataset.train.y.size} samples for training and {dataset.test.y.size} for the test, "
            f"{len(dataset.features)} features made {dataset.dimension} coordinates, bandwidth "
            f"{widths}"
        )
    if functional is None:
        return
    worst = float(abs(functional.problem.initial_mass - 1.0).max())
    if worst > case.mesh.outflow_tolerance:
        progress.warn(f"the initial mass on the mesh differs from 1 by {worst:.2e}.")
    for sentence in undershoots(functional.problem):
        progress.warn(sentence)


def _mesh(functional: ReducedFunctional) -> str:
    """Return the discretisation of J in words."""
    case, space = functional.case, functional.problem.space
    cells = " x ".join(map(str, case.cells()))
    if not MESHES[case.mesh.kind].grid:
        cells = str(space.mesh.topology.index_map(space.dimension).size_global)
    return (
        f"{cells} {space.cell} cells of degree {space.degree}, "
        f"{space.n_global} unknowns a class and {functional.controls.size} controls"
    )


def checked(given: Case, comm: MPI.Intracomm, machine: Path | None = None) -> str:
    """Return the case file with all filled in, and what a run of it will be, as comments below.

    Args:
        given: the case.
        comm: the communicator.
        machine: file of the figures that times follow from, see ``load_machine``.

    Raises:
        InputError: something in it or in its data is wrong.

    Parallel: collective.
    """
    population = populate(given, comm)
    accuracy = given.wanted_accuracy()
    functional = ReducedFunctional(given, comm, population)
    shown = functional.case if accuracy is None else asked(given, population)
    bound = lower_bound(functional.problem)
    why = "no argument bounds the loss from below." if bound is None else bound.sentence()
    lines = [shown.to_toml().rstrip(), ""]
    if accuracy is None:
        layers = functional.controls.layers
        lines += [f"# {functional.memory_sentence()}."]
        lines += [f"# Steps: {functional.steps_per_layer} in each of {layers} layers."]
    else:
        mesh = f"chosen by the training, for a relative error of J of {accuracy.relative:g}"
        lines += [f"# Mesh: {mesh}."]
    return "\n".join([*lines, f"# Before training: {why}", *_costs(functional, machine)])


def _costs(functional: ReducedFunctional, file: Path | None) -> list[str]:
    """Return the predicted times and memory as comments."""
    machine, whose = load_machine(file)
    found = worth_it(Work.of(functional), machine)
    training, here = functional.case.training, found[0]
    longest = in_seconds(training.max_iterations * here.iteration)
    return [
        f"# Predicted for a core a rank on {_mesh(functional)}, from {whose}:",
        *(f"#   {line}" for line in costs_table(found).splitlines()),
        "# An iteration has one J and derivative, now and then more, with Hessian actions many; "
        f"training.max_iterations = {training.max_iterations} take at most about {longest} on one "
        "rank.",
    ]
