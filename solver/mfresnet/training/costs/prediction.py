# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Time and memory of a training for a number of ranks, before it."""

from __future__ import annotations

from dataclasses import dataclass

from mfresnet.training.costs.machine import Machine
from mfresnet.training.costs.work import Work, pass_seconds, stage_seconds

MOST, LEAST = 4096, 0.5
"""Ranks, and the efficiency below which more of them are not looked at."""


@dataclass(frozen=True)
class Prediction:
    """What some ranks take.

    Attributes:
        ranks: how many.
        value: seconds of J.
        derivative: seconds of J and its derivative.
        iteration: seconds of an iteration of a quasi-Newton method with one evaluation.
        messages: seconds of ``derivative`` in which ranks wait for each other.
        memory: bytes of all ranks.
    """

    ranks: int
    value: float
    derivative: float
    iteration: float
    messages: float
    memory: float


def predict(work: Work, machine: Machine, ranks: int) -> Prediction:
    """Return the prediction for a number of ranks, each on a core of its own.

    A stage and its transpose send what is at facet points to the neighbours once each; that none
    of it is hidden behind the cells inside is an assumption.
    """
    forward, back = stage_seconds(work, machine, ranks)
    message = 0.0
    if ranks > 1:
        each = machine.latency + work.halo_bytes(ranks) / machine.bandwidth
        message = each * work.layers * work.steps * work.stages
    value = forward + pass_seconds(work, machine.forward, ranks) + message
    # J is made once, and layers that were not held again
    again = (work.repeated - 1.0) * (forward + message)
    derivative = value + again + back + pass_seconds(work, machine.backward, ranks) + message
    memory = max(work.memory + (ranks - work.ranks) * machine.base, ranks * machine.base)
    iteration, waits = derivative + machine.iteration, (1.0 + work.repeated) * message
    return Prediction(ranks, value, derivative, iteration, waits, memory)


def worth_it(work: Work, machine: Machine, most: int = MOST) -> list[Prediction]:
    """Return predictions for 1, 2, 4, ... ranks, the last one where more do not pay any more.

    That is where ranks are used by less than half, or have no cell each.
    """
    found = [predict(work, machine, 1)]
    ranks = 2
    while ranks <= min(most, work.cells):
        found.append(predict(work, machine, ranks))
        if found[0].derivative < LEAST * ranks * found[-1].derivative:
            break
        ranks *= 2
    return found
