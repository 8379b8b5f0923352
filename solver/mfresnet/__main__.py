# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The command mfresnet: PETSc's options, then the command line, then one end for all ranks."""

from __future__ import annotations

import signal
import sys

from mfresnet.interrupt import STOPPED, Stopped, end, keeping, listening


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
    """Return the exit status of all ranks."""
    petsc_options: list[str] = []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, petsc_options = arguments[:cut], arguments[cut + 1 :]

    _start_petsc(["-no_signal_handler", *petsc_options])
    from mpi4py import MPI

    from mfresnet.ending import describe
    from mfresnet.parallel import meet

    # A communicator of its own: an error may leave collective calls pending on the others.
    comm = MPI.COMM_WORLD.Dup()
    status, error = _outcome(arguments)
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
    try:
        import petsc4py
    except ModuleNotFoundError:
        return
    petsc4py.init([sys.argv[0], *options])


def _outcome(arguments: list[str]) -> tuple[int, BaseException | None]:
    """Return the exit status of the command line on this rank, and the error that ended it."""
    import click

    from mfresnet.cli import app
    from mfresnet.errors import InputError

    try:
        status = app(arguments or ["--help"], prog_name="mfresnet", standalone_mode=False)
        return int(status or 0), None
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        place = "mfresnet" if context is None else context.command_path
        text = error.format_message().rstrip(".")
        return 0, InputError(f"mfresnet: {text}. See {place} --help.")
    except (Exception, Stopped) as error:
        return 0, error


if __name__ == "__main__":
    main()
