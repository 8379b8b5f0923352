# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The command mfresnet: PETSc's options, then the command line, then one end for all ranks."""

from __future__ import annotations

import signal
import sys
import time
import traceback

PATIENCE = 5.0
"""Seconds that a failed rank waits for the others before it ends them."""


def main() -> None:
    """Run the command and end all ranks with one exit status and at most one message."""
    arguments = sys.argv[1:]
    petsc_options: list[str] = []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, petsc_options = arguments[:cut], arguments[cut + 1 :]

    import mfresnet  # noqa: F401  # sets up MPI

    _start_petsc(["-no_signal_handler", *petsc_options])
    # as of any command, where "| head" has read enough
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    from mpi4py import MPI

    # A communicator of its own: an error may leave collective calls pending on the others.
    comm = MPI.COMM_WORLD.Dup()
    code, message = _outcome(arguments)
    failed = message != ""
    if not _all_arrived(comm, PATIENCE if failed else float("inf")):
        print(message, file=sys.stderr, flush=True)
        MPI.COMM_WORLD.Abort(code)
    outcomes = comm.allgather((code, message))
    messages = [text for _, text in outcomes if text]
    if comm.rank == 0 and messages:
        print(messages[0], file=sys.stderr, flush=True)
    comm.Barrier()
    sys.exit(max(status for status, _ in outcomes))


def _start_petsc(options: list[str]) -> None:
    """Give PETSc its options; a trained network is applied where there is none, too."""
    try:
        import petsc4py
    except ModuleNotFoundError:
        return
    petsc4py.init([sys.argv[0], *options])


def _outcome(arguments: list[str]) -> tuple[int, str]:
    """Return the exit status and the message of the command line on this rank."""
    import click

    from mfresnet.cli import app
    from mfresnet.errors import Exit, InputError, Preempted, SolveError

    try:
        status = app(arguments or ["--help"], prog_name="mfresnet", standalone_mode=False)
        return int(status or 0), ""
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        place = "mfresnet" if context is None else context.command_path
        text = error.format_message().rstrip(".")
        return Exit.BAD_INPUT, f"mfresnet: {text}. See {place} --help."
    except (click.Abort, KeyboardInterrupt):
        return 130, "mfresnet: interrupted."
    except InputError as error:
        return Exit.BAD_INPUT, str(error)
    except SolveError as error:
        return Exit.FAILED, str(error)
    except Preempted:
        text = "mfresnet: stopped by a signal; what was computed is kept. Go on with --resume."
        return Exit.PREEMPTED, text
    except MemoryError:
        return Exit.FAILED, "mfresnet: out of memory. Use fewer cells, layers or classes."
    except OSError as error:
        place = f"{error.filename}: " if error.filename else "mfresnet: "
        return Exit.FAILED, f"{place}{error.strerror or error}. Check the path and the disk."
    except Exception:
        text = traceback.format_exc().rstrip()
        return Exit.FAILED, f"{text}\nmfresnet: this is a defect of mfresnet; please report it."


def _all_arrived(comm: object, patience: float) -> bool:
    """Return whether every rank comes here within ``patience`` seconds."""
    request = comm.Ibarrier()  # type: ignore[attr-defined]
    end = time.monotonic() + patience
    while not request.Test():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


if __name__ == "__main__":
    main()
