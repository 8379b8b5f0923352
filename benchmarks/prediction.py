# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Time and memory as `mfresnet check` predicts them, beside measured runs of all cases.

    docker/run python3 benchmarks/prediction.py            some minutes; writes docs/prediction.md
    docker/run python3 benchmarks/prediction.py iris       one case, on standard output

The figures of the machine are measured first. Every case is then trained for some iterations, in a
process of its own for the peak of its memory; J and its derivative are measured in another one.
"""

from __future__ import annotations

from mpi4py import MPI

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mfresnet.case import load, populate, resolve
from mfresnet.functional import ReducedFunctional
from mfresnet.memory import in_units
from mfresnet.output import in_seconds
from mfresnet.runs import run
from mfresnet.training import (
    Work,
    iteration_seconds,
    load_machine,
    predict,
    seconds_each,
    whole_sweeps,
)

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/prediction.md"
ITERATIONS, REPEATS = 15, 15
QUIET = 1.0
"""Load of a machine on which several ranks can be measured."""
WITHIN = 1.5
SEVERAL = ", of two by the clock, predicted from figures of two ranks at the same time"
BUSY = "; two ranks were not measured, as other programs computed too"
PARTS = ("value", "derivative", "iteration", "memory")
TEXT = """# Time and memory before a run

`mfresnet check CASE` sets up a case as a run does, and says below it what J, its derivative and
the memory will take on 1, 2, 4, ... ranks, until more of them do not pay: what to ask of a
queue. A training makes as many evaluations as it has iterations, and a few more; how many that
are is not known before.

    mfresnet bench --fit                  # once on the machine that will compute; a minute
    mfresnet check CASE
    mfresnet check CASE --machine FILE    # that of mfresnet bench --fit --machine FILE elsewhere

Without the first line the figures are those that come with mfresnet, and the prediction says so.
`mpirun -n R mfresnet bench --fit` measures with R ranks at the same time: what these take from each
other, memory above all, is in the figures then, and messages are measured too.

## The model

Counted for a case are cells, degrees of freedom n of a class, K classes, L layers, m steps of s
stages, velocity points and hidden units. For one core

    J               L m s K n (t + e b)       stages
                    + L points (d c + units u)  velocities and coefficients
                    + calls, for a batch of layers and for a layer each
    J, derivative   J + repeated layers + the same of the transposes, with figures of their own

t is the time of a degree of freedom in a stage in cache, for each cell, degree and operator; e
that of a byte that comes from memory, b those bytes: a share of what a stage moves, its size
over the last cache, and at least the 8 bytes that are kept where the caches do not hold these.
With a limiter every stage is a call. All figures are measured on small problems that are no
cases: t and e by themselves, the others by least squares over some whole sweeps.

Each of R ranks has 1/R of the cells and 4 % more, and every stage and transpose waits for
messages, latency + bytes / bandwidth, of as many facets as a compact part has. That nothing of
it is hidden behind the cells inside is an assumption. Memory is that of setting up, of the
stages and checkpoints ([memory.md](memory.md)), and for every further rank that of a process,
{base}.

## Beside measured runs

Measured, and predicted over measured, by `docker/run python3 benchmarks/prediction.py`; figures
of the machine ({processor}) from just before, {load}. Times are the least of {repeats}, of one rank
in seconds of its core{several}. An iteration is one with a single evaluation, predicted
for the time steps that the training has then: where controls grow these are more than those of the
initial controls, which `check` counts with. Memory is the peak of a whole run with its pictures.

{table}

{verdict}
"""


def functional_of(name: str) -> ReducedFunctional:
    """Return J of a case on a mesh that is given."""
    given = load(ROOT / f"cases/{name}.toml")
    population = populate(given, MPI.COMM_WORLD)
    case = resolve(given.with_({"accuracy": None}), population)
    return ReducedFunctional(case, MPI.COMM_WORLD, population)


def fit(ranks: int, folder: Path) -> Path:
    """Measure the figures of the machine with so many ranks that work at the same time."""
    machine = folder / f"{ranks}.json"
    line = [sys.executable, "-m", "mfresnet", "bench", "--fit", "--machine", str(machine)]
    line = line if ranks == 1 else ["mpirun", "-n", str(ranks), *line]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    return machine


def measure_times(name: str, machine: Path) -> dict[str, Any]:
    """Return predicted and measured seconds of J and its derivative, and predicted bytes."""
    functional = functional_of(name)
    predicted = predict(Work.of(functional), load_machine(machine)[0], functional.comm.size)
    clock = time.process_time if functional.comm.size == 1 else time.perf_counter
    times = seconds_each(functional.comm, whole_sweeps(functional), REPEATS, 1, clock)
    iteration = iteration_seconds(functional, ITERATIONS, clock)
    trained = predict(Work.of(functional), load_machine(machine)[0], functional.comm.size)
    return {
        "measured": {
            "value": times["value"],
            "derivative": times["value_and_derivative"],
            "iteration": iteration,
        },
        "predicted": {
            "value": predicted.value,
            "derivative": predicted.derivative,
            "iteration": trained.iteration,
            "memory": predicted.memory,
        },
    }


def measure_run(name: str, folder: Path) -> dict[str, Any]:
    """Return the peak of a whole run in bytes."""
    case = load(ROOT / f"cases/{name}.toml", ["training.max_iterations=2"])
    run(case.with_({"accuracy": None}), folder / "run")
    if MPI.COMM_WORLD.rank > 0:
        return {}
    report = json.loads((folder / "run/run.json").read_text())
    return {"memory": report["memory"]["measured"]}


def child(ranks: int, *arguments: object) -> dict[str, Any]:
    """Return what this program finds with some arguments, on some ranks."""
    line = ["mpirun", "-n", str(ranks), sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(
        line if ranks > 1 else line[3:], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(name: str, ranks: int, machine: Path) -> dict[str, Any]:
    """Return what is predicted and measured of a case on some ranks."""
    with tempfile.TemporaryDirectory() as folder:
        row = child(ranks, name, "times", machine)
        row["measured"] |= child(ranks, name, "run", folder)
    row["ratio"] = {part: row["predicted"][part] / row["measured"][part] for part in PARTS}
    return row


def table(rows: dict[tuple[str, int], dict[str, Any]]) -> str:
    """Return the ratios with what was measured, as Markdown."""
    lines = ["| case | ranks | J | | J and derivative | | an iteration | | memory | |"]
    lines += ["|---|---|---|---|---|---|---|---|---|---|"]
    for (name, ranks), row in rows.items():
        cells = []
        for part in PARTS:
            show = in_units if part == "memory" else in_seconds
            cells += [show(row["measured"][part]), f"{row['ratio'][part]:.2f}"]
        lines.append(f"| {name} | {ranks} | {' | '.join(cells)} |")
    return "\n".join(lines)


def verdict(rows: dict[tuple[str, int], dict[str, Any]]) -> str:
    """Return how many of the ratios are within the factor."""
    ratios = {(key, part): row["ratio"][part] for key, row in rows.items() for part in PARTS}
    outside = {key: r for key, r in ratios.items() if not 1 / WITHIN <= r <= WITHIN}
    good = f"{len(ratios) - len(outside)} of {len(ratios)} are within a factor {WITHIN}"
    worst = max(ratios.values(), key=lambda r: max(r, 1 / r))
    return f"{good}; the worst is {worst:.2f}."


def main() -> None:
    """Measure the machine, then every case, and write the page."""
    given = sys.argv[1:]
    if len(given) == 3:
        name, what, where = given
        found = (
            measure_times(name, Path(where)) if what == "times" else measure_run(name, Path(where))
        )
        if MPI.COMM_WORLD.rank == 0:
            print(json.dumps(found))
        return
    names = given or sorted(path.stem for path in (ROOT / "cases").glob("*.toml"))
    quiet = os.getloadavg()[0] < QUIET
    load_of_machine = f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    with tempfile.TemporaryDirectory() as folder:
        machines = {ranks: fit(ranks, Path(folder)) for ranks in ((1, 2) if quiet else (1,))}
        figures = load_machine(machines[1])[0]
        rows = {}
        for number, name in enumerate(names, 1):
            for ranks, machine in machines.items():
                rows[name, ranks] = measure(name, ranks, machine)
                print(table({(name, ranks): rows[name, ranks]}).splitlines()[-1], flush=True)
            if given:
                continue
            # after every case, so that nothing is lost where this is stopped
            text = TEXT.format(
                base=in_units(figures.base),
                processor=figures.processor,
                load=load_of_machine,
                repeats=REPEATS,
                several=SEVERAL if quiet else BUSY,
                table=table(rows),
                verdict=verdict(rows) + missing(names[number:]),
            )
            PAGE.write_text(text)
    print(verdict(rows))


def missing(names: list[str]) -> str:
    """Return a sentence about cases that were not measured, nothing where there are none."""
    return f" Stopped before {', '.join(names)}." if names else ""


if __name__ == "__main__":
    main()
