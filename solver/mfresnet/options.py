# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The options and arguments that several commands have, and how a command is read."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from typer.core import TyperCommand

Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Replace a key: training.max_iterations=50.")
]
CaseFile = Annotated[Path, typer.Argument(metavar="CASE", help="The case file (TOML).")]

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only errors, warnings, and the last line.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every level and iteration.")]
MachineFile = Annotated[
    Path | None,
    typer.Option(
        "--machine", metavar="FILE", help="Figures of a machine, of the cache if not given."
    ),
]
OutFile = Annotated[Path, typer.Option(help="The file to write, such as a.csv or a.parquet.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunDirectory = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run directory, or a file of export --to npz.")
]


class Command(TyperCommand):
    """A command that is read first and done later: the app returns what is to be called.

    Mistakes and requests for help are answered while the line is read, before MPI starts; help is
    silent on what is nothing by default.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        for parameter in self.params:
            if parameter.default is None or parameter.default is False:
                parameter.show_default = False  # type: ignore[attr-defined]

    def invoke(self, ctx: click.Context) -> Any:
        """Return the command with its arguments."""
        return partial(super().invoke, ctx)
