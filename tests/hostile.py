# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What stands in the place of a right value of a case file."""

from typing import Any

VALUES: list[Any] = [
    0, 1, 2, 3, -1, 7, 10**6, 2**31, 2**32, 2**63 - 1, 2**63, 10**400, 0.0, -0.0, 1e-320, 1e-200,
    1e-7, 0.5, 1.0, 2.5, 1e100, 1e300, 1.7e308, float("nan"), float("inf"), -float("inf"), True,
    "", " ", "a\0b", "é\u202e", "x" * 10**5, "tanh", "triangle", "gaussian", "file", "1e3", "2 GB",
    "9" * 400 + " GB", "exp(-x[0]**2)", "(" * 200, "9**9**9", [], [[]], {}, [1.0], [1.0, 2.0],
    [1.0] * 4, [[1.0, 0.0], [0.0, 1.0]], [[1.0, 2.0], [3.0]], [float("nan")] * 2, [1e300, 1e300],
    [0] * 10**4, {"kind": "gaussian"}, {"a": {"b": {"c": 1}}}, [{}], [None], ["W"], ["W", "W"],
    [0, 1], ["é", ""],
]  # fmt: skip
