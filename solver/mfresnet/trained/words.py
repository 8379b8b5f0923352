# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""A trained network in words, as a notebook shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MOST = 8
"""Features and classes whose names are written out."""


def in_words(network: Any) -> list[tuple[str, str]]:
    """Return names and values: what the network is for, what goes in, what is inside.

    Args:
        network: a ``TrainedNetwork``.
    """
    arrays = (*network.parameters.values(), *network.head.values())
    steps = network.steps_per_layer
    rows = [
        ("task", network.task),
        ("features", _listed(network.features)),
        ("labels", _listed(network.labels)),
        ("coordinates", str(network.dimension)),
        (
            "layers",
            f"{network.residual.layers} of the block {network.block} with {network.activation}, "
            f"T = {network.final_time:g}",
        ),
        ("steps", f"{steps} of order {network.order} in a layer"),
        ("parameters", str(sum(array.size for array in arrays))),
    ]
    return [row for row in rows if row[1]]


def _listed(names: Sequence[str]) -> str:
    """Return the number of names, and the first of them."""
    more = ", ..." if len(names) > MOST else ""
    return f"{len(names)} ({', '.join(map(str, names[:MOST]))}{more})" if names else ""
