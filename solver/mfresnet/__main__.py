# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The command mfresnet: the command line, PETSc's options, then one end for all ranks."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from io import StringIO
from typing import Any

from mfresnet.ending import describe
from mfresnet.errors import InputError
from mfresnet.installation import find_mpi
from mfresnet.interrupt import STOPPED, Stopped, end, is_first, keeping, listening


def main() -> None:
    """Run the command and end all ranks with one exit status and at most one message."""
    with listening():
        # as of any command, where "| head" has read enough
        pipe = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        try:
            status = _command(sys.argv[1:])
        except Stopped:  # before the ranks can talk
            end(STOPPED)
        finally:
            signal.signal(signal.SIGPIPE, pipe)
    sys.exit(status)


def _command(arguments: list[str]) -> int:
    """Return the exit status of this process: of all ranks, once MPI has started."""
    petsc_options: list[str] = []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, petsc_options = arguments[:cut], arguments[cut + 1 :]
    try:
        work = _read(arguments)
    except Exception as error:
        if isinstance(error, InputError) and not is_first():
            return 0  # the first rank says it, and a launcher ends the others with the first error
        status, text = describe(error)
        print(text, file=sys.stderr, flush=True)
        return status
    return 0 if work is None else _on_all_ranks(work, petsc_options)


def _read(arguments: list[str]) -> Callable[[], Any] | None:
    """Return what the command line asks for; None when it was help or version, which are shown.

    Raises:
        InputError: there is no such command or option, or a value is missing or wrong.
    """
    import click

    from mfresnet.cli_study import app

    try:
        with nullcontext() if is_first() else redirect_stdout(StringIO()):
            work = app(arguments or ["--help"], prog_name="mfresnet", standalone_mode=False)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        place = "mfresnet" if context is None else context.command_path
        text = error.format_message().rstrip(".")
        raise InputError(f"mfresnet: {text}. See {place} --help.") from error
    return work if callable(work) else None


def _on_all_ranks(work: Callable[[], Any], petsc_options: list[str]) -> int:
    """Start PETSc and MPI, do the work and return the exit status of all ranks."""
    try:
        _start_petsc(["-no_signal_handler", *petsc_options])
        from mpi4py import MPI
    except (ImportError, RuntimeError) as missing:
        status, text = describe(missing)
        if is_first():
            print(text, file=sys.stderr, flush=True)
        return status

    from mfresnet.parallel import meet

    # A communicator of its own: an error may leave collective calls pending on the others.
    comm = MPI.COMM_WORLD.Dup()
    status = 0
    error: BaseException | None = None
    try:
        status = int(work() or 0)
    except (Exception, Stopped) as caught:
        error = caught
    with keeping():
        meet(comm, error)
        outcomes = comm.allgather((status, "") if error is None else describe(error))
        messages = [text for _, text in outcomes if text]
        if comm.rank == 0 and messages:
            print(messages[0], file=sys.stderr, flush=True)
        comm.Barrier()
    return max(code for code, _ in outcomes)


def _start_petsc(options: list[str]) -> None:
    """Give PETSc its options; a trained network is applied where there is none, too."""
    find_mpi()
    try:
        import petsc4py
    except ModuleNotFoundError:
        return
    petsc4py.init([sys.argv[0], *options])


if __name__ == "__main__":
    main()
