# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The optimisers: name -> what they can do and need."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One optimiser.

    Attributes:
        bounds: whether it keeps bounds on the controls.
        hessian: whether it needs Hessian actions.
        tao: whether it is a type of PETSc TAO.
        frozen: whether it keeps the derivative in the coefficients of every layer.
    """

    bounds: bool = False
    hessian: bool = False
    tao: bool = True
    frozen: bool = False


METHODS: dict[str, Method] = {
    "lmvm": Method(),
    "blmvm": Method(bounds=True),
    "cg": Method(),
    "bncg": Method(bounds=True),
    "bqnls": Method(bounds=True),
    "bqnktr": Method(bounds=True),
    "bqnktl": Method(bounds=True),
    "nm": Method(),
    "nls": Method(hessian=True),
    "ntr": Method(hessian=True),
    "ntl": Method(hessian=True),
    "bnls": Method(bounds=True, hessian=True),
    "bntr": Method(bounds=True, hessian=True),
    "bntl": Method(bounds=True, hessian=True),
    "forward_backward": Method(bounds=True, tao=False),
    "maximum_principle": Method(bounds=True, tao=False, frozen=True),
}
