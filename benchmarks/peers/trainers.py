# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Trainings of a tanh network on weighted points or on a case, each as its documentation has it.

A trainer begins at W = I, b = 0, calls ``Watch.saw`` with controls on the way, and returns at its
end or by ``OutOfTimeError``. Libraries are loaded before the clock runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from benchmarks.peers.evaluator import Array, Points
from benchmarks.peers.problems import LAYERS, TIKHONOV, Problem

Make = Callable[[], Points]
STEP = 1.0 / LAYERS


class OutOfTimeError(Exception):
    """The seconds of a training are spent."""


@dataclass
class Watch:
    """The processor time of a training, and the controls that it had when.

    Attributes:
        budget: seconds after which the training ends.
        seen: (seconds, W, b).
        facts: what else is known of the training.
    """

    budget: float
    start: float = 0.0
    seen: list[tuple[float, Array, Array]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Start the clock."""
        self.start = time.process_time()

    def spent(self) -> float:
        """Return the seconds since the start."""
        return time.process_time() - self.start

    def saw(self, W: Array, b: Array) -> None:  # noqa: N803  # the name in the equations
        """Keep controls, or end the training."""
        self.seen.append((self.spent(), np.array(W, dtype=float), np.array(b, dtype=float)))
        if self.spent() > self.budget:
            raise OutOfTimeError


# ---------------------------------------------------------------------- mfresnet
def _asked(watch: Watch) -> Any:
    """Return an oracle that shows the watch what J is asked for."""
    from mfresnet.optimise import Oracle  # noqa: PLC0415

    class Asked(Oracle):
        def evaluate(self, functional: Any, theta: Array) -> tuple[float, Array]:
            found = super().evaluate(functional, theta)
            controls = functional.controls.from_vector(theta)
            watch.saw(controls.W, controls.b)
            return found

    return Asked()


def mfresnet(problem: Problem, accuracy: float, watch: Watch) -> None:
    """Train the case to an accuracy."""
    from mpi4py import MPI  # noqa: PLC0415

    from mfresnet import Case  # noqa: PLC0415
    from mfresnet.case import populate  # noqa: PLC0415
    from mfresnet.training import train_case  # noqa: PLC0415

    watch.begin()
    case = Case(**problem.case(), accuracy=accuracy)
    found = train_case(case, populate(case, MPI.COMM_WORLD), MPI.COMM_WORLD, oracle=_asked(watch))
    watch.facts["seconds"] = watch.spent()
    controls = found.functional.controls.from_vector(found.result.theta)
    watch.facts["error_said"] = None if found.error is None else found.error.relative
    watch.facts["J"] = found.result.value
    watch.facts["last"] = problem.loss(controls.W, controls.b)
    watch.facts["cells"] = list(found.functional.case.cells())
    watch.facts["degree"] = found.functional.case.space.degree


def mfresnet_points(problem: Problem, make: Make, watch: Watch) -> None:
    """Train on weighted points by the library's own functional for them."""
    from mpi4py import MPI  # noqa: PLC0415

    from mfresnet import Case, ParticleFunctional, minimise  # noqa: PLC0415
    from mfresnet.data import Samples  # noqa: PLC0415

    watch.begin()
    points = make()
    case = Case(
        **problem.case(),
        time={"order": 4, "steps_per_layer": 1},
        training={"gradient_tolerance": 1e-9, "max_iterations": 500},
    )
    samples = Samples(points.x.T.copy(), points.classes, points.masses)
    minimise(ParticleFunctional(case, samples, MPI.COMM_WORLD), oracle=_asked(watch))


# ---------------------------------------------------------------------- PyTorch
def torch_network(d: int, layer: Callable[..., Any]) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Return W, b, and the network on points."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    W = torch.eye(d).repeat(LAYERS, 1, 1).requires_grad_()  # noqa: N806
    b = torch.zeros(LAYERS, d, requires_grad=True)

    def network(x: Any) -> Any:
        for matrix, shift in zip(W, b, strict=True):
            x = layer(x, matrix, shift)
        return x

    return W, b, network


def rk4_layer(x: Any, W: Any, b: Any) -> Any:  # noqa: N803
    """Return a step of RK4, in PyTorch."""
    from torch import tanh  # noqa: PLC0415
    from torch.nn.functional import linear  # noqa: PLC0415

    k1 = tanh(linear(x, W, b))
    k2 = tanh(linear(x + (0.5 * STEP) * k1, W, b))
    k3 = tanh(linear(x + (0.5 * STEP) * k2, W, b))
    k4 = tanh(linear(x + STEP * k3, W, b))
    return x + (STEP / 6.0) * (k1 + 2.0 * (k2 + k3) + k4)


def adjoint_layer(x: Any, W: Any, b: Any) -> Any:  # noqa: N803
    """Return a layer by torchdiffeq's odeint_adjoint, one step of its rk4."""
    import torch  # noqa: PLC0415
    from torchdiffeq import odeint_adjoint  # noqa: PLC0415

    def velocity(t: Any, y: Any) -> Any:
        return torch.tanh(torch.nn.functional.linear(y, W, b))

    depth = torch.tensor([0.0, STEP])
    return odeint_adjoint(velocity, x, depth, method="rk4", adjoint_params=(W, b))[-1]


def torch_loss(network: Any, W: Any, b: Any, x: Any, masses: Any, targets: Any) -> Any:  # noqa: N803
    """Return J on weighted points, in PyTorch."""
    out = 0.5 * ((network(x) - targets) ** 2).sum(dim=1) @ masses
    return out + 0.5 * TIKHONOV * STEP * ((W**2).sum() + (b**2).sum())


def torch_lbfgs(
    problem: Problem, make: Make, watch: Watch, layer: Callable[..., Any] = rk4_layer
) -> None:
    """Train on all points at once by torch.optim.LBFGS with its strong Wolfe line search."""
    import torch  # noqa: PLC0415

    W, b, network = torch_network(problem.d, layer)  # noqa: N806
    watch.begin()
    points = make()
    x, masses = torch.tensor(points.x), torch.tensor(points.masses)
    targets = torch.tensor(problem.targets[points.classes])
    optimiser = torch.optim.LBFGS(
        [W, b],
        max_iter=1000,
        history_size=50,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Any:
        optimiser.zero_grad()
        loss = torch_loss(network, W, b, x, masses, targets)
        loss.backward()
        watch.saw(W.detach().numpy(), b.detach().numpy())
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    watch.saw(W.detach().numpy(), b.detach().numpy())


def torch_adam(
    problem: Problem, make: Make, watch: Watch, batch: int, epochs_or_steps: int
) -> None:
    """Train by torch.optim.Adam on shuffled batches, with a rate that falls to zero as a cosine."""
    import torch  # noqa: PLC0415

    W, b, network = torch_network(problem.d, rk4_layer)  # noqa: N806
    torch.manual_seed(0)
    watch.begin()
    points = make()
    n = len(points.x)
    x, targets = torch.tensor(points.x), torch.tensor(problem.targets[points.classes])
    whole = batch >= n
    masses = torch.full((min(batch, n),), 1.0 / min(batch, n))
    optimiser = torch.optim.Adam([W, b], lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs_or_steps)
    order = torch.randperm(n)
    for i in range(epochs_or_steps):
        start = i * batch % max(n - batch, 1)
        part = slice(None) if whole else order[start : start + batch]
        optimiser.zero_grad()
        torch_loss(network, W, b, x[part], masses, targets[part]).backward()
        optimiser.step()
        schedule.step()
        watch.saw(W.detach().numpy(), b.detach().numpy())


# ---------------------------------------------------------------------- JAX
def jax_lbfgs(problem: Problem, make: Make, watch: Watch, by_diffrax: bool) -> None:
    """Train on all points by optax.lbfgs; layers by diffrax, or by RK4 written out.

    diffrax has no RK4; a layer is one step of its Tsit5, with RecursiveCheckpointAdjoint.
    """
    import diffrax  # noqa: PLC0415
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415
    import optax  # noqa: PLC0415

    jax.config.update("jax_enable_x64", True)

    def velocity(t: Any, x: Any, layer: Any) -> Any:
        W, b = layer  # noqa: N806
        return jnp.tanh(x @ W.T + b)

    def step_diffrax(x: Any, layer: Any) -> Any:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity), diffrax.Tsit5(), t0=0.0, t1=STEP, dt0=STEP, y0=x,
            args=layer, adjoint=diffrax.RecursiveCheckpointAdjoint(), max_steps=2,
        )  # fmt: skip
        return solution.ys[-1], None

    def step_rk4(x: Any, layer: Any) -> Any:
        k1 = velocity(0.0, x, layer)
        k2 = velocity(0.0, x + 0.5 * STEP * k1, layer)
        k3 = velocity(0.0, x + 0.5 * STEP * k2, layer)
        k4 = velocity(0.0, x + STEP * k3, layer)
        return x + STEP / 6.0 * (k1 + 2.0 * (k2 + k3) + k4), None

    layer_step = step_diffrax if by_diffrax else step_rk4
    watch.begin()
    points = make()
    x, masses = jnp.asarray(points.x), jnp.asarray(points.masses)
    targets = jnp.asarray(problem.targets[points.classes])

    def loss(theta: Any) -> Any:
        out, _ = jax.lax.scan(layer_step, x, theta)
        W, b = theta  # noqa: N806
        cost = 0.5 * jnp.sum((out - targets) ** 2, axis=1) @ masses
        return cost + 0.5 * TIKHONOV * STEP * (jnp.sum(W**2) + jnp.sum(b**2))

    optimiser = optax.lbfgs(memory_size=50)
    value_and_grad = optax.value_and_grad_from_state(loss)

    @jax.jit  # type: ignore[misc]
    def iterate(theta: Any, state: Any) -> Any:
        value, grad = value_and_grad(theta, state=state)
        changes, state = optimiser.update(grad, state, theta, value=value, grad=grad, value_fn=loss)
        return optax.apply_updates(theta, changes), state, optax.tree.norm(grad)

    theta = (jnp.tile(jnp.eye(problem.d), (LAYERS, 1, 1)), jnp.zeros((LAYERS, problem.d)))
    state = optimiser.init(theta)
    for i in range(1000):
        theta, state, norm = iterate(theta, state)
        small = float(norm) < 1e-9
        if i == 0:
            watch.facts["compile"] = watch.spent()
        watch.saw(np.asarray(theta[0]), np.asarray(theta[1]))
        if small:
            break
