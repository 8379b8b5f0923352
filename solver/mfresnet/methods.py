# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The TAO types that need no second derivatives: name -> what they can do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One optimiser.

    Attributes:
        bounds: whether it keeps bounds on the controls.
    """

    bounds: bool


METHODS: dict[str, Method] = {
    "lmvm": Method(bounds=False),
    "blmvm": Method(bounds=True),
    "cg": Method(bounds=False),
    "bncg": Method(bounds=True),
    "bqnls": Method(bounds=True),
    "bqnktr": Method(bounds=True),
    "bqnktl": Method(bounds=True),
    "nm": Method(bounds=False),
}
