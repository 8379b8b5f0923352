# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What of a forward sweep is kept for the backward sweep, and what is carried forward again.

The layers are cut into segments of q layers. The stages of one segment are held at once; the
densities at the starts of segments are kept, as many as there is room for, in memory or on disk,
and the stages of the other segments are made again from them by the binomial schedule of
Griewank and Walther (2000), of the package checkpoint-schedules. With q = L nothing is made again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from checkpoint_schedules import Forward, MultistageCheckpointSchedule

from mfresnet.errors import InputError
from mfresnet.memory import in_units


@dataclass(frozen=True)
class Plan:
    """A schedule within a given memory, the same on all ranks.

    Attributes:
        layers: number of layers L.
        held: layers q of a segment.
        in_memory: densities at the starts of segments that are kept in memory.
        on_disk: those that are kept on disk.
        layer_bytes: memory for one layer, over all ranks.
        state_bytes: memory for the densities at one depth, over all ranks.
    """

    layers: int
    held: int
    in_memory: int
    on_disk: int
    layer_bytes: int
    state_bytes: int

    @property
    def segments(self) -> int:
        """Number of segments."""
        return -(-self.layers // self.held)

    @property
    def whole(self) -> bool:
        """Whether the stages of all layers are held, so that none is made again."""
        return self.segments == 1

    @property
    def memory(self) -> int:
        """Bytes in memory, over all ranks."""
        return self.held * self.layer_bytes + self.in_memory * self.state_bytes

    @property
    def disk(self) -> int:
        """Bytes on disk, over all ranks."""
        return self.on_disk * self.state_bytes

    def segment(self, i: int) -> range:
        """Return the layers of segment i; the first one may be shorter than the others."""
        stop = self.layers - (self.segments - 1 - i) * self.held
        return range(max(0, stop - self.held), stop)

    def start_of(self, layer: int) -> int:
        """Return the first layer of the segment that holds ``layer``."""
        return max(0, self.layers - self.held * -(-(self.layers - layer) // self.held))

    def schedule(self) -> Iterator[object]:
        """Return the actions of one forward and one backward sweep, in units of segments."""
        return iter(MultistageCheckpointSchedule(self.segments, self.in_memory, self.on_disk))

    @property
    def recompute_factor(self) -> float:
        """Layers carried forward for one derivative, over the number of layers."""
        carried = sum(
            len(self.segment(i))
            for action in self.schedule()
            if isinstance(action, Forward)
            for i in range(action.n0, action.n1)
        )
        return carried / self.layers

    def report(self) -> dict[str, object]:
        """Return what is kept, for run.json; sizes in bytes."""
        return {
            "stages": self.memory,
            "disk": self.disk,
            "layers_held": self.held,
            "checkpoints": {"memory": self.in_memory, "disk": self.on_disk},
            "recompute_factor": self.recompute_factor,
        }

    def sentence(self) -> str:
        """Return what is kept, for the user."""
        if self.whole:
            return f"all layers held in {in_units(self.memory)}"
        disk = f" and {self.on_disk} on disk" if self.on_disk else ""
        held = f"{self.held} of {self.layers} layers and {self.in_memory} checkpoints held in "
        factor = f"{self.recompute_factor:.3g} forward sweeps a derivative"
        return f"{held}{in_units(self.memory)}{disk}, {factor}"


def fewest_steps(n: int, checkpoints: int) -> int:
    """Return the forward steps that n steps backward take, the first sweep among them.

    With c checkpoints and the least r such that n <= binom(c + r, c) they are

        n + r n - binom(c + r, c + 1),

    Griewank and Walther (2000), there in terms of r n - binom(c + r, r - 1); in closed form, as a
    recursion is as deep as there are steps.
    """
    r, reached = 0, 1
    while reached < n:
        r += 1
        reached = math.comb(checkpoints + r, checkpoints)
    return n + r * n - math.comb(checkpoints + r, checkpoints + 1)


def choose(
    layers: int,
    layer_bytes: int,
    state_bytes: int,
    memory: float,
    disk: float = 0.0,
    reserved: int = 0,
) -> Plan:
    """Return the plan that carries the fewest layers forward again.

    Args:
        layers: number of layers.
        layer_bytes: memory for one layer, over all ranks.
        state_bytes: memory for the densities at one depth, over all ranks.
        memory: bytes that may be used.
        disk: bytes that may be used on disk besides.
        reserved: bytes of ``memory`` that something else takes.

    Raises:
        InputError: one layer and one checkpoint do not fit.
    """
    room = memory - reserved
    if layers * layer_bytes <= room:
        return Plan(layers, layers, 0, 0, layer_bytes, state_bytes)
    best: tuple[tuple[float, int], Plan] | None = None
    for held in range(1, min(layers - 1, int(room // layer_bytes)) + 1):
        segments = -(-layers // held)
        in_memory = min(int((room - held * layer_bytes) // state_bytes), segments - 1)
        on_disk = min(int(disk // state_bytes), segments - 1 - in_memory)
        if in_memory + on_disk == 0:
            continue
        carried = held * fewest_steps(segments, in_memory + on_disk)
        plan = Plan(layers, held, in_memory, on_disk, layer_bytes, state_bytes)
        if best is None or (carried, on_disk) < best[0]:
            best = (carried, on_disk), plan
    if best is None:
        least = reserved + layer_bytes + (state_bytes if disk < state_bytes else 0)
        raise InputError(
            f"resources.memory: too little for one layer; got {in_units(memory)}, expected at "
            f"least {in_units(least)}. Raise it, or use more layers with "
            "fewer steps in each."
        )
    return best[1]
