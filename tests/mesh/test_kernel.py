# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The kernel of the heat equation by points, against its moments and the heat equation itself."""

from mpi4py import MPI

from math import factorial, gamma

import numpy as np
import pytest

from mfresnet.mesh.boxes import box
from mfresnet.mesh.heat import STEPS, HeatEquation
from mfresnet.mesh.kernel import kernel_rule
from mfresnet.mesh.space import Space


@pytest.mark.parametrize("radii", [1, 2, 4])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_moments(d: int, radii: int) -> None:
    """E |x|^2k = E S^k E chi^2k and E x_i^4 = 3 E S^2; odd ones vanish."""
    x, mass = kernel_rule(d, radii)
    assert (mass > 0.0).all() and mass.sum() == pytest.approx(1.0, abs=1e-14)
    for k in range(2 * radii):
        s = factorial(STEPS - 1 + k) / factorial(STEPS - 1) / STEPS**k
        chi = 2.0**k * gamma(d / 2 + k) / gamma(d / 2)
        assert mass @ np.sum(x**2, axis=0) ** k == pytest.approx(s * chi, rel=1e-10)
    for row in x:
        assert mass @ row == pytest.approx(0.0, abs=1e-13)
        assert mass @ row**2 == pytest.approx(1.0, rel=1e-12)
        if radii > 1:
            assert mass @ row**4 == pytest.approx(3.0 * (1.0 + 1.0 / STEPS), rel=1e-12)


@pytest.mark.parametrize("cell", ["interval", "quadrilateral", "triangle"])
def test_it_is_what_the_heat_equation_makes(cell: str) -> None:
    """The mean of exp(x) cos(2 y) over a point that is smoothed."""
    d = 1 if cell == "interval" else 2
    bandwidth, n = 0.3, {"interval": 80, "quadrilateral": 24, "triangle": 20}[cell]
    space = Space(box(MPI.COMM_SELF, cell, [n] * d, np.full(d, -5.0), np.full(d, 5.0)), 3)

    def g(x: np.ndarray) -> np.ndarray:
        return np.exp(x[0]) * np.cos(2.0 * x[-1])

    around = space.integrate(lambda x: np.exp(-np.sum(x**2, axis=0) / 0.08), 12) / space.mass
    around /= around @ space.integral
    heat = HeatEquation(space)
    smooth = heat.smooth(around, bandwidth)
    heat.destroy()
    expected = space.integrate(g, 12) @ smooth
    x, mass = kernel_rule(d, 6)
    moved = [space.integrate(lambda y, s=step: g(y + s[:, None]), 12) for step in (bandwidth * x).T]
    assert mass @ np.array([each @ around for each in moved]) == pytest.approx(expected, rel=5e-5)
