# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Stability polynomials for DG(p): of given order and stages, those with the largest time step.

Inside a layer a step is P(dt A) f with P(z) = sum_k a_k z^k, a_k = 1/k! up to the order q. The
spectrum of A, divided by the rate lambda of ``Transport.rates``, lies in the convex hull H of the
eigenvalues of the Fourier symbols on a uniform line, for all fluxes a+, a- = (v +- speed)/2 with
speed >= |v|: on boxes the eigenvalues are convex combinations of those. For given h, whether free
a_{q+1}, ..., a_s exist with |P(h z)| <= 1 on H is a convex problem; the largest h is found by
bisection. H contains 0, so that all smaller steps are stable too, and by the maximum principle the
boundary of H is enough.

Run: docker/run python3 benchmarks/stability.py --write   (makes network/polynomials.py again)
     docker/run python3 benchmarks/stability.py --check   (its table against the real operator)
"""

from __future__ import annotations

from mpi4py import MPI

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from math import factorial, floor
from pathlib import Path

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

from mfresnet.arrays import Array
from mfresnet.mesh import Space
from mfresnet.network import SCHEMES, cfl_constant, excess
from mfresnet.transport import OPERATORS

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "solver" / "mfresnet" / "network" / "polynomials.py"
DEGREES = range(7)
STAGES = {3: range(4, 11), 4: range(5, 12)}
"""Order -> numbers of stages."""
BETAS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""v of the fluxes whose speed is 1."""
PHASES, EDGE = 400, 300
"""Phases of the symbol on [0, pi]; points of the hull on the length of its largest |z|."""
NEAR = 0.2
"""Nearer to 0 than this, |h z| has no constraint of its own: the leading terms decide."""
SMALLEST, LARGEST = 0.005, 1.1
"""Bounds of the Horner coefficients."""
TOLERANCE, ACCURACY, MARGIN = 1e-10, 1e-4, 0.01
"""Of |P| - 1; of the bisection, relative; what the largest step is reduced by."""
DIGITS = 14
"""Decimals of the Horner coefficients that are not Taylor's."""
MESHES = {
    "interval": (40, (1, 2, 3)),
    "quadrilateral": (4, (1, 2, 3)),
    "triangle": (3, (1, 2, 3)),
    "hexahedron": (2, (1, 2)),
    "tetrahedron": (2, (1, 2)),
}
"""Cell -> cells a direction and degrees of the check."""
TAYLOR = {
    order: {p: (cfl_constant(SCHEMES[order], p), SCHEMES[order].coefficients) for p in DEGREES}
    for order in STAGES
}
"""Taylor's schemes as rows of the table."""
HEADER = '''# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Stability polynomials with the largest time step for DG(p): (order, stages) -> degree -> row.

Made by ``docker/run python3 benchmarks/stability.py --write``, which says how; not to be edited.
"""

from __future__ import annotations

# fmt: off
_INNER: dict[tuple[int, int], dict[int, tuple[float, tuple[float, ...]]]] = {
'''
FOOTER = '''}
# fmt: on

POLYNOMIALS: dict[tuple[int, int], dict[int, tuple[float, tuple[float, ...]]]] = {
    (order, stages): {
        degree: (cfl, inner + tuple(1.0 / j for j in range(order, 0, -1)))
        for degree, (cfl, inner) in rows.items()
    }
    for (order, stages), rows in _INNER.items()
}
"""The largest stable dt * lambda, and the factors of dt from the innermost stage outwards.

The outermost ones, 1/order, ..., 1/2, 1, are those of Taylor's scheme: the conditions of order.
"""
'''


def symbol(degree: int, beta: float, phase: Array) -> Array:
    """Return the Fourier symbols of A on cells of length 1 for v = beta, speed = 1.

    Args:
        degree: p; the basis are Legendre polynomials.
        beta: the velocity.
        phase: phases between neighbours, (n,).

    Returns:
        Matrices, (n, p + 1, p + 1).
    """
    k = np.arange(degree + 1)
    end, start = np.ones(degree + 1), (-1.0) ** k
    # (P_j, P_i'): 2 for j = i - 1, i - 3, ...
    stiffness = np.where((k[:, None] > k) & ((k[:, None] - k) % 2 == 1), 2.0, 0.0)
    shift = np.exp(1j * phase)[:, None, None]
    plus, minus = (beta + 1.0) / 2.0, (beta - 1.0) / 2.0
    right = plus * np.outer(end, end) + minus * shift * np.outer(end, start)
    left = plus / shift * np.outer(start, end) + minus * np.outer(start, start)
    return (2.0 * k + 1.0)[:, None] * (beta * stiffness - right + left)


def eigenvalues(degree: int, betas: tuple[float, ...] = BETAS) -> Array:
    """Return the eigenvalues of the symbols, each divided by its lambda."""
    phase = np.linspace(-np.pi, np.pi, 2 * PHASES + 1)
    found = [
        np.linalg.eigvals(symbol(degree, beta, phase)).ravel()
        / (1.0 + excess(degree) * (1.0 - beta))
        for beta in betas
    ]
    return np.concatenate(found)


def boundary(z: Array) -> Array:
    """Return points on the upper half of the boundary of the convex hull of z and conj(z)."""
    corners = z[ConvexHull(np.stack([z.real, z.imag], axis=1)).vertices]
    length = np.abs(z).max() / EDGE
    sides = zip(corners, np.roll(corners, -1), strict=True)
    points = [a + (b - a) * np.arange(0.0, 1.0, min(1.0, length / abs(b - a))) for a, b in sides]
    hull = np.concatenate(points)
    return hull[hull.imag >= -1e-12]


def taylor(stages: int) -> Array:
    """Return 1/k! for k = 0, ..., s."""
    return np.array([1.0 / factorial(k) for k in range(stages + 1)])


def evaluate(a: Array, z: Array) -> Array:
    """Return P(z) = sum_k a_k z^k."""
    return np.polyval(a[::-1], z)


class Search:
    """Polynomials of one order and number of stages that are stable on h times a set of points.

    The unknowns are coefficients of P in a basis of the powers q + 1, ..., s of z / max |z|,
    orthonormal over the points. |P| <= 1 is Re(exp(-i phi) P) <= 1 for all phi; these cuts are
    added one by one, at the phi of a P that violates them, and kept.
    """

    def __init__(self, order: int, stages: int, z: Array) -> None:
        """Set up the basis.

        Args:
            order: q.
            stages: s, above q.
            z: the points.
        """
        self.order, self.stages, self.z = order, stages, z
        self.radius = np.abs(z).max()
        self.powers = np.arange(order + 1, stages + 1)
        monomials = (z / self.radius)[:, None] ** self.powers
        q, self.mix = np.linalg.qr(np.concatenate([monomials.real, monomials.imag]))
        scale = np.sqrt(len(z))
        self.mix /= scale
        self.basis = scale * (q[: len(z)] + 1j * q[len(z) :])
        self.where = np.tile(np.arange(len(z)), 2)
        self.angle = np.repeat([0.0, np.pi], len(z))

    def _bounds(self, h: float) -> tuple[Array, Array]:
        """Return rows and right-hand sides: a_k between two multiples of a_{k-1}."""
        # a_k = (reach)^-k mix^-1 x
        scaled = np.linalg.inv(self.mix) / (h * self.radius) ** self.powers[:, None]
        before = np.vstack([np.zeros(len(scaled)), scaled[:-1]])
        known = np.zeros(len(scaled))
        known[0] = 1.0 / factorial(self.order)
        rows = np.vstack([SMALLEST * before - scaled, scaled - LARGEST * before])
        sides = np.concatenate([-SMALLEST * known, LARGEST * known])
        size = np.abs(rows).max(axis=1)
        return rows / size[:, None], sides / size

    def polynomial(self, h: float) -> Array | None:
        """Return a_0, ..., a_s with |P(h z)| <= 1; None if there are none."""
        hz, rows, sides = h * self.z, *self._bounds(h)
        fixed = evaluate(taylor(self.order), hz)
        # near 0 on the imaginary axis |P| - 1 is of order |z|^4 for q = 3, |z|^6 for q = 4
        weight = 1.0 / np.clip(np.abs(hz), NEAR, 1.0) ** (2 * (self.order // 2) + 2)
        far = np.abs(hz) > NEAR
        n = len(self.powers)
        while True:
            kept = far[self.where]
            where, turn = self.where[kept], np.exp(-1j * self.angle[kept])
            cuts = weight[where, None] * (turn[:, None] * self.basis[where]).real
            room = weight[where] * (1.0 - (turn * fixed[where]).real)
            left = np.vstack([np.c_[cuts, -np.ones(len(cuts))], np.c_[rows, np.zeros(len(rows))]])
            found = linprog(
                np.r_[np.zeros(n), 1.0],
                left,
                np.r_[room, sides],
                bounds=[(None, None)] * n + [(-1.0, None)],
                options={
                    "primal_feasibility_tolerance": TOLERANCE,
                    "dual_feasibility_tolerance": TOLERANCE,
                },
            )
            if found.x is None or found.x[-1] > TOLERANCE:
                return None
            p = fixed + self.basis @ found.x[:-1]
            new = np.flatnonzero(far & (weight * (np.abs(p) - 1.0) > 2.0 * TOLERANCE))
            if not len(new):
                free = np.linalg.solve(self.mix, found.x[:-1]) / (h * self.radius) ** self.powers
                return np.concatenate([taylor(self.order), free])
            self.where = np.concatenate([self.where, new])
            self.angle = np.concatenate([self.angle, np.angle(p[new])])


def largest_step(order: int, stages: int, z: Array, start: float) -> tuple[float, Array]:
    """Return the largest h, and a_0, ..., a_s with |P(h z)| <= 1.

    Args:
        order: q.
        stages: s.
        z: the points.
        start: a stable h.
    """
    search = Search(order, stages, z)
    low, high = start, start * 1.1
    best = search.polynomial(low)
    assert best is not None
    while (found := search.polynomial(high)) is not None:
        low, high, best = high, high * 1.1, found
    while high - low > ACCURACY * low:
        middle = 0.5 * (low + high)
        found = search.polynomial(middle)
        if found is None:
            high = middle
        else:
            low, best = middle, found
    return low, best


def horner(a: Array) -> Array:
    """Return the factors of dt from the innermost stage outwards, a_s / a_{s-1}, ..., a_1 / a_0."""
    return (a[1:] / a[:-1])[::-1]


def steps(c: Array, z: Array) -> Array:
    """Return y_j = 1 + c_j z y_{j-1}, y_0 = 1, j = 1, ..., s, as rows; the last is P(z)."""
    y, found = np.ones_like(z), []
    for factor in c:
        y = 1.0 + factor * z * y
        found.append(y)
    return np.stack(found)


def find(order: int, degree: int) -> Iterator[tuple[int, float, Array]]:
    """Yield stages, cfl and the Horner coefficients that are not Taylor's, and print how good."""
    z = boundary(eigenvalues(degree))
    fine = boundary(eigenvalues(degree, tuple(np.linspace(0.0, 1.0, 17))))
    today = cfl_constant(SCHEMES[order], degree) / order
    h = 0.98 * cfl_constant(SCHEMES[order], degree)
    for stages in STAGES[order]:
        h, a = largest_step(order, stages, z, h)
        cfl = floor(1e4 * (1.0 - MARGIN) * h) / 1e4
        c = np.round(horner(a), DIGITS)
        c[-order:] = 1.0 / np.arange(order, 0, -1)
        largest = np.abs(steps(c, cfl * fine)[-1]).max()
        assert largest <= 1.0 + 1e-12, (order, stages, degree, largest)
        inner = np.abs(steps(c, cfl * fine)).max()
        print(
            f"{order:>5} {stages:>6} {degree:>6} {cfl:>8.4f} {cfl / stages / today:>8.3f} "
            f"{inner:>10.4f} {c.min():>8.4f}",
            flush=True,
        )
        yield stages, cfl, c[:-order]


def write() -> None:
    """Find all polynomials and write the table."""
    print("order stages degree      cfl over_now max_|y_j|  min_c_j")
    lines = []
    for order in STAGES:
        found = {degree: list(find(order, degree)) for degree in DEGREES}
        for i, stages in enumerate(STAGES[order]):
            lines.append(f"    ({order}, {stages}): {{")
            for degree in DEGREES:
                _, cfl, inner = found[degree][i]
                numbers = ", ".join(f"{c:.{DIGITS}f}" for c in inner)
                row = f"{degree}: ({cfl:.4f}, ({numbers}{',' * (len(inner) == 1)})),"
                indent = " " * 8
                lines += textwrap.wrap(
                    row, 100, initial_indent=indent, subsequent_indent=indent + " " * 12
                )
            lines.append("    },")
    TABLE.write_text(HEADER + "\n".join(lines) + "\n" + FOOTER)


def velocities(d: int) -> dict[str, tuple[bool, Callable[[Array], Array]]]:
    """Return name -> (whether free of divergence, points (d, n) -> velocity (d, n))."""
    axis, oblique = np.eye(3)[:d, :1], np.array([[1.0], [-0.6], [0.3]])[:d]
    slope = np.array([[0.8, -0.5, 0.3], [0.4, -0.9, 0.2], [-0.3, 0.6, 0.7]])[:d, :d]
    fields: dict[str, tuple[bool, Callable[[Array], Array]]] = {
        "axis": (True, lambda x: axis + 0.0 * x),
        "oblique": (True, lambda x: oblique + 0.0 * x),
        "tanh": (False, lambda x: np.tanh(slope @ x + 0.3)),
    }
    if d > 1:
        # a shear: v_1 of x_2, v_2 of x_3, ...
        fields["shear"] = (True, lambda x: np.sin(2.0 * np.roll(x, -1, axis=0)) + 0.2)
    return fields


def dense(space: Space, v: Callable[[Array], Array]) -> Array:
    """Return the matrix of A / lambda between coordinates whose length is the L2 norm."""
    transport = OPERATORS["fused"](space, "smooth_upwind", 1.0)
    a = transport.coefficients(v(transport.points), transport.new_coefficients())
    columns = [transport.apply(unit, a).copy() for unit in np.eye(space.n_owned)]
    root = np.sqrt(space.mass)
    return root[:, None] * np.stack(columns, axis=1) / root / transport.rates(a)[0]


def growth(
    matrix: Array, values: Array, cfl: float, c: Sequence[float] | Array
) -> tuple[float, float]:
    """Return the spectral radius of P(dt A), and the largest norm of some of its powers.

    The powers are 2^k and 3 2^k up to 192: the norms of the others are products of theirs at most.
    """
    one = np.eye(len(matrix))
    p = one
    for factor in c:
        p = one + factor * cfl * (matrix @ p)
    norms = []
    for power in (p, p @ p @ p):
        for _ in range(7):
            norms.append(float(np.linalg.norm(power, 2)))
            power = power @ power
    return float(np.abs(steps(np.asarray(c), cfl * values)[-1]).max()), max(norms)


def check() -> int:
    """Print how powers of the real operator grow; return 1 if a spectral radius is above 1."""
    sys.path.append(str(ROOT / "tests"))
    from helpers import shaped_mesh
    from mfresnet.network.polynomials import POLYNOMIALS

    tables = POLYNOMIALS.values(), TAYLOR.values()
    print("largest of all rows: spectral radius - 1, norm of powers; the same of Taylor's schemes")
    worst = 0.0
    for cell, (n, degrees) in MESHES.items():
        for degree in degrees:
            space = Space(shaped_mesh(MPI.COMM_SELF, cell, n, "rotated"), degree)
            for name, (free, v) in velocities(space.dimension).items():
                matrix = dense(space, v)
                values = np.linalg.eigvals(matrix)
                found = [
                    np.max([growth(matrix, values, *row[degree]) for row in rows], axis=0)
                    for rows in tables
                ]
                if free:
                    worst = max(worst, found[0][0])
                text = "   ".join(f"{r - 1.0:>+10.3e} {norm:>9.6f}" for r, norm in found)
                print(f"{cell:<14}p = {degree}  {name:<9}{text}", flush=True)
    print(f"largest spectral radius - 1 without divergence: {worst - 1.0:.3e}")
    return int(worst > 1.0 + TOLERANCE)


def main() -> int:
    """Return 0 when the table is written or every row of it is stable."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="find the polynomials, write the table")
    what.add_argument("--check", action="store_true", help="check the table, write nothing")
    if parser.parse_args().check:
        return check()
    write()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
