# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The figures of the benchmark as tables."""

from __future__ import annotations

from typing import Any

from mfresnet.columns import plain
from mfresnet.mesh import CELLS
from mfresnet.transport import LIMITERS

LIMITED = [name for name in LIMITERS if name != "none"]
"""The limiters whose cost is measured, as the ratio of times of one step with and without them."""


def speed_table(result: dict[str, Any]) -> str:
    """Return the figures as tables."""
    rows = [*result["rows"], *([result["large"]] if result["large"] else [])]
    lines = [f"{result['ranks']} rank(s), two classes", _table_of_stages(rows)]
    lines += ["", _table_of_sweeps(result["rows"])]
    if (small := result["small"]) is not None:
        rate = small["evaluations_per_second"]
        lines += [
            "",
            f"{_name(small)}, degree {small['degree']}, {small['layers']} layers: "
            f"{rate['fused']:.0f} evaluations of J and derivative a second, {rate['petsc']:.0f} by "
            f"matrices of PETSc: {rate['fused'] / rate['petsc']:.1f} times as many",
        ]
    if (shared := result["parallel"]) is not None:
        up, copies = shared["speedup"], shared["copies"]
        lines += [
            "",
            f"{_name(shared)}, degree {shared['degree']}: {result['ranks']} ranks are "
            f"{up['value']:.2f} times as fast as one in J, {up['value_and_derivative']:.2f} times "
            f"in J and derivative; copies of the serial run beside each other take "
            f"{copies['value_and_derivative']:.2f} times as long as one alone",
        ]
    return "\n".join(lines)


def _name(row: dict[str, Any]) -> str:
    return f"{row['cell']} {'x'.join([str(row['cells'])] * CELLS[row['cell']])}"


def _table_of_stages(rows: list[dict[str, Any]]) -> str:
    titles = ["cells", "degree", "dofs", "stage", "over PETSc", "over UFL", "bytes/dof", "of triad"]
    titles += ["transpose", "over PETSc", "bytes/dof", "of triad"]
    table = []
    for row in rows:
        speed, moved = row["dofs_per_second"], row["bytes_per_dof"]
        over, share = row["fused_over_petsc"], row["share_of_bandwidth"]
        table.append(
            [
                _name(row),
                str(row["degree"]),
                str(row["dofs"]),
                f"{speed['fused stage'] / 1e6:.0f} Mdof/s",
                f"{over['stage']:.1f}",
                f"{row['assemble_over_stage']:.1f}",
                f"{moved['stage']:.0f}",
                f"{share['stage']:.2f}",
                f"{speed['fused transpose'] / 1e6:.0f} Mdof/s",
                f"{over['transpose']:.1f}",
                f"{moved['transpose']:.0f}",
                f"{share['transpose']:.2f}",
            ]
        )
    return plain(table, "w" + "n" * (len(titles) - 1), titles)


def _table_of_sweeps(rows: list[dict[str, Any]]) -> str:
    titles = ["cells", "degree", "J", "J and derivative", "ratio"]
    for kind in LIMITED:
        titles += [f"{kind}: steps", "J", "J and derivative"]
    table = []
    for row in rows:
        ms = row["milliseconds"]
        limited = [r for costs in row["limited_over_free"].values() for r in costs.values()]
        table.append(
            [
                _name(row),
                str(row["degree"]),
                f"{ms['value']:.1f} ms",
                f"{ms['value_and_derivative']:.1f} ms",
                f"{row['derivative_over_value']:.2f}",
                *(f"{ratio:.2f}" for ratio in limited),
            ]
        )
    return plain(table, "w" + "n" * (len(titles) - 1), titles)
