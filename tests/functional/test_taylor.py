# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Taylor tests of first and second order for every row of the tables, generated from them.

A new row is covered without an edit; the last tests show it by adding one to each table.
"""

from mpi4py import MPI

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from pydantic import PositiveFloat

from helpers import gaussian, make_case
from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.functional.densities import ReducedFunctional
from mfresnet.losses.loss import LossSection, Setting
from mfresnet.losses.point import PointLoss, Quadratic
from mfresnet.losses.table import LOSSES, Row
from mfresnet.network.activations import ACTIVATIONS, Activation
from mfresnet.network.blocks import BLOCKS, Block, Parameters
from mfresnet.network.penalties import PENALTIES, Penalty
from mfresnet.verification.taylor import TaylorTest, taylor_test

STEPS = tuple(1e-2 / 2**k for k in range(4))
ROUNDING = 2e-13
"""Third-order remainders below this times J are rounding."""
NEEDS: dict[str, Any] = {
    "target": gaussian(0.2, 0.12),
    "mean": 0.2,
    "covariance": 0.12,
    "smoothing": 0.02,
}
"""Values for keys of losses that have no default, or whose default is sharper than the mesh."""


class Choice(NamedTuple):
    """A row of each table, and whether the loss runs over depth."""

    block: str = "square"
    activation: str = "tanh"
    loss: str = "quadratic"
    penalty: str = "tikhonov"
    running: float = 0.0
    shared: bool = False


def choices() -> Iterator[Choice]:
    """Yield every pair of block and activation, of block and loss, and every penalty."""
    for block in BLOCKS:
        for activation in ACTIVATIONS:
            yield Choice(block, activation)
        for loss in LOSSES:
            yield Choice(block, loss=loss)
            yield Choice(block, loss=loss, running=0.6, shared=True)
    for penalty in PENALTIES:
        yield Choice(penalty=penalty)
        yield Choice(penalty=penalty, shared=True, loss="cross_entropy")


def functional_of(choice: Choice) -> ReducedFunctional:
    """Return a small J on the line; for activations with a kink the argument stays above it."""
    block = BLOCKS[choice.block]
    needed = LOSSES[choice.loss].section.model_fields
    network: dict[str, Any] = {"block": choice.block, "activation": choice.activation, "layers": 2}
    network |= {"shared": choice.shared, "final_time": 0.9}
    if block.wide:
        network["width"] = 2
    shapes = block.shapes(1, 2) | LOSSES[choice.loss].head(LossSection(), 1, 2)
    rng = np.random.default_rng(3)
    values = {name: 0.6 * rng.standard_normal(shape) for name, shape in shapes.items()}
    if not ACTIVATIONS[choice.activation].smooth:
        values["b"] = 3.5 + 0.0 * values["b"]
    initial = {name: v.tolist() for name, v in values.items()}
    task = LOSSES[choice.loss].tasks[0]
    # the label of a regression is a coordinate of the mesh
    d = 1 + (task == "regression")
    case = make_case(
        "interval" if d == 1 else "quadrilateral",
        task=task,
        mesh={"cells": [16, 6][:d], "lower": [-2.5] * d, "upper": [6.0, 3.0][:d]},
        network=network,
        loss={"kind": choice.loss, "running": choice.running}
        | {key: value for key, value in NEEDS.items() if key in needed},
        penalty={name: {"weight": 0.4 * (name == choice.penalty)} for name in PENALTIES}
        | {"l1": {"weight": 0.4 * (choice.penalty == "l1"), "smoothing": 0.5}},
        initial={"kind": "values"} | initial,
    )
    functional = ReducedFunctional(case, MPI.COMM_SELF)
    functional.set_steps(2 * functional.steps_per_layer)
    return functional


def check(choice: Choice) -> None:
    """Hold the remainders to their orders and the Hessian to its symmetry."""
    functional = functional_of(choice)
    theta, n = functional.theta0, functional.controls.size
    rng = np.random.default_rng(5)
    uphill = np.sign(functional.derivative(theta))
    directions = np.abs(rng.standard_normal((2, n))) / np.sqrt(n) * uphill
    parts = [
        taylor_test(
            functional.value, functional.derivative, theta, h, STEPS, functional.hessian_action
        )
        for h in directions
    ]
    # over several directions: in a single one the third derivative may happen to be small
    test = TaylorTest(parts[0].steps, np.sqrt(np.sum([t.remainders**2 for t in parts], axis=0)))
    rates, seen = test.rates(), test.remainders[2] > ROUNDING * functional.value(theta)
    assert np.abs(rates[:2, -3:] - [[1.0], [2.0]]).max() < 0.1, test.as_text()
    if seen[0]:  # else J is quadratic
        assert np.abs(rates[2, np.flatnonzero(seen)[-1] - 1] - 3.0) < 0.1, test.as_text()
    h, k = rng.standard_normal((2, n))
    one, two = functional.hessian_action(theta, h), functional.hessian_action(theta, k)
    size = np.linalg.norm(one) * np.linalg.norm(k)
    assert abs(one @ k - two @ h) <= 1e-10 * size


@pytest.mark.parametrize("choice", list(choices()), ids=lambda c: "-".join(map(str, c)))
def test_taylor(choice: Choice) -> None:
    check(choice)


# ---------------------------------------------------------------------- a new row in every table
def arctan(u: Array) -> Array:
    return np.arctan(u)


ARCTAN = Activation(
    value=arctan,
    derivative=lambda u: 1.0 / (1.0 + u**2),
    second=lambda u: -2.0 * u / (1.0 + u**2) ** 2,
    bound=np.pi / 2,
    torch="torch.atan(u)",
)


def gated_second(
    sigma: Activation, x: Array, p: Parameters, g: Array, dx: Array, h: Parameters
) -> tuple[Array, dict[str, Array]]:
    value, slope, second = (f(p["b"]) for f in (sigma.value, sigma.derivative, sigma.second))
    at, along = np.sum(g * x, axis=1), np.sum(g * dx, axis=1)
    parts = {
        "b": (h["g"] * slope + p["g"] * second * h["b"]) * at + p["g"] * slope * along,
        "g": slope * h["b"] * at + value * along,
    }
    return (h["g"] * value + p["g"] * slope * h["b"])[:, None] * g, parts


GATED = Block(  # v = g * sigma(b) * x: another argument, another parameter
    shapes=lambda d, width: {"b": (d,), "g": (d,)},
    velocity=lambda sigma, x, p: (p["g"] * sigma.value(p["b"]))[:, None] * x,
    vjp=lambda sigma, x, p, g: {
        "b": p["g"] * sigma.derivative(p["b"]) * np.sum(g * x, axis=1),
        "g": sigma.value(p["b"]) * np.sum(g * x, axis=1),
    },
    jvp=lambda sigma, x, p, h: (
        h["g"] * sigma.value(p["b"]) + p["g"] * sigma.derivative(p["b"]) * h["b"]
    )[:, None]
    * x,
    push=lambda sigma, x, p, dx: (p["g"] * sigma.value(p["b"]))[:, None] * dx,
    pull=lambda sigma, x, p, g: (p["g"] * sigma.value(p["b"]))[:, None] * g,
    second=gated_second,
    divergence=lambda sigma, x, p: np.full(x.shape[1], p["g"] @ sigma.value(p["b"])),
    bound=lambda sigma: np.inf,
    torch="g * sigma(b) * x",
)

QUARTIC = Penalty(
    value=lambda p, space, theta: p.weight * float(np.sum(space.weights * theta**4)),
    derivative=lambda p, space, theta: 4.0 * p.weight * space.weights * theta**3,
    hessian_action=lambda p, space, theta, h: 12.0 * p.weight * space.weights * theta**2 * h,
)


class LogCostSection(LossSection):
    sharpness: PositiveFloat = 2.0


class LogCost(Quadratic):
    """l = log(1 + sharpness |x - target|^2)."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.sharpness = setting.section.sharpness

    def value(self, x: Array, head: Any) -> Array:
        return np.log1p(2.0 * self.sharpness * super().value(x, head))


LOG_COST = Row(lambda s: PointLoss(s, LogCost(s)), LogCostSection, targets=True)


def test_new_rows_are_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row in each table, and the generated tests check it; the case file knows it too."""
    before = set(choices())
    monkeypatch.setitem(ACTIVATIONS, "arctan", ARCTAN)
    monkeypatch.setitem(BLOCKS, "gated", GATED)
    monkeypatch.setitem(PENALTIES, "quartic", QUARTIC)
    monkeypatch.setitem(LOSSES, "log_cost", LOG_COST)
    new = [choice for choice in choices() if choice not in before]
    for name in ("arctan", "gated", "quartic", "log_cost"):
        assert any(name in choice for choice in new)
    for choice in new:
        check(choice)
    with pytest.raises(
        InputError, match=r"^loss\.sharpness: wrong value; got -1, expected greater"
    ):
        make_case("interval", loss={"kind": "log_cost", "sharpness": -1})
    with pytest.raises(InputError, match=r"^loss\.sharp: unknown key; .*Did you mean 'sharpness'"):
        make_case("interval", loss={"kind": "log_cost", "sharp": 1})


def test_new_rows_that_are_wrong_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong derivative or second derivative in any table fails."""
    wrong = {
        "first": replace(ARCTAN, derivative=lambda u: 1.0 / (1.01 + u**2)),
        "second": replace(ARCTAN, second=lambda u: 0.9 * ARCTAN.second(u)),
    }
    for row in wrong.values():
        monkeypatch.setitem(ACTIVATIONS, "arctan", row)
        with pytest.raises(AssertionError, match="rate R2"):
            check(Choice(activation="arctan"))
    stiff = Penalty(QUARTIC.value, QUARTIC.derivative, lambda p, space, theta, h: 0.0 * h)
    monkeypatch.setitem(PENALTIES, "quartic", stiff)
    with pytest.raises(AssertionError, match="rate R2"):
        check(Choice(penalty="quartic"))
