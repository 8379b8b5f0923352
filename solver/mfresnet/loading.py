# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The trained network of a run directory, or of an exported file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mfresnet.control import Controls
from mfresnet.errors import InputError
from mfresnet.trained import TrainedNetwork, assemble


def load_network(path: str | Path) -> TrainedNetwork:
    """Return the network of a run directory, or of a file of ``mfresnet export --to npz``.

    Raises:
        InputError: neither is there, or a file in it cannot be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _load_run(path)
        with np.load(path) as file:
            return TrainedNetwork.from_arrays(dict(file))
    except InputError:
        raise
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{path}: not a trained network ({reason}); expected the directory of a finished run "
            "or a file of mfresnet export --to npz. Check the path."
        ) from None


def _load_run(directory: Path) -> TrainedNetwork:
    from mfresnet.case import load

    report = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    case = load(directory / "case.toml")
    with np.load(directory / "controls.npz") as file:
        values = {n: file[n] for n in (*case.shapes(), *case.head(1))}
    controls = Controls(values, tuple(case.head(1)))
    data, labels = report["data"], tuple(case.labels())
    targets = [c.target for c in case.classes if c.target is not None]
    if data is not None:
        labels, given = tuple(data["labels"]), case.loss.targets or {}
        targets = [given[label] for label in labels if label in given]
    return assemble(
        case, labels, np.array(targets, dtype=float), data, controls, report["steps_per_layer"]
    )
