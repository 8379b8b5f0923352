# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The forward sweep of the densities from 0 to T and the backward sweep of the adjoints.

The backward sweep yields the exact derivative of the discrete objective, layer by layer. What it
needs of the forward sweep is kept or made again, as the ``Plan`` says; the derivative is the same
bit for bit. The second-order sweeps are in ``tangent``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from mfresnet.arrays import Array
from mfresnet.functional.sweeps.growth import Growth, See
from mfresnet.functional.sweeps.layer import Layer, Layers
from mfresnet.functional.sweeps.plan import Plan
from mfresnet.functional.sweeps.reversal import Reversal
from mfresnet.losses import DepthLoss, Parts, Visit
from mfresnet.mesh import aligned
from mfresnet.network import ControlSpace, Network
from mfresnet.transport import Adjoint, March, Transport, check_steps, largest


class Sweep:
    """Both sweeps, with the memory that the plan gives them.

    Attributes:
        march: the time steps of a layer.
        dt: the length of one.
        steps_per_layer: time steps m in every layer.
        network: the residual network of the last forward sweep.
        layers: the memory for the layers of a segment.
        reversal: whether a backward sweep can follow, and its schedule.
        states: the states where a sweep is, (classes, size of the march).
        left: mass that has left through each boundary point until then, (classes, n_exit).
        last: the states at T, (classes, size).
        final: the densities at T, (classes, n_owned).
        final_left: mass that has left until T, (classes, n_exit).
    """

    network: Network

    def __init__(
        self,
        transport: Transport,
        march: March,
        space: ControlSpace,
        steps_per_layer: int,
        n_classes: int,
        plan: Plan,
    ) -> None:
        """Allocate everything that the sweeps need.

        Args:
            transport: the operator, for the coefficients of a velocity.
            march: the time steps, a layer over ``steps_per_layer`` long.
            space: the control space.
            steps_per_layer: time steps in every layer.
            n_classes: number of classes.
            plan: what is kept.
        """
        self.transport, self.march, self.space, self.plan = transport, march, space, plan
        self.steps_per_layer, self.n_classes, self.dt = steps_per_layer, n_classes, march.dt
        self.reversal = Reversal(plan, transport.space.comm)
        self.layers = Layers(transport, march, steps_per_layer, n_classes, plan)
        self.states = aligned(n_classes, march.size)
        self.left = np.zeros((n_classes, transport.n_exit))
        self.last, self.final_left = np.zeros_like(self.states), np.zeros_like(self.left)
        self.final, self._start = march.limiter.densities(self.last), self.states

    @property
    def steps(self) -> int:
        """Number of time steps from 0 to T."""
        return self.space.layers * self.steps_per_layer

    @property
    def boundaries(self) -> Array:
        """After which numbers of steps a layer starts, and T, (steps + 1,), bool."""
        return np.arange(self.steps + 1) % self.steps_per_layer == 0

    # ------------------------------------------------------------------ controls
    def set_network(self, network: Network) -> None:
        """Take the controls of the next sweeps and check the CFL condition.

        Raises:
            StepsError: a layer needs more time steps.
            SolveError: a velocity is not finite.

        Parallel: collective.
        """
        check_steps(self.steps_per_layer, self.rate(network), self.space.layer_time)

    def rate(self, network: Network) -> float:
        """Evaluate the velocity of every layer and return the least 1 / dt, see ``steps_needed``.

        What was kept of an earlier sweep is lost.

        Raises:
            SolveError: a velocity is not finite.

        Parallel: collective.
        """
        self.reversal.forget()
        self.network = network
        self.layers.forget()
        rates = np.zeros(self.space.layers)
        for number in range(self.space.layers):
            kept = self.layer(number)
            rates[number] = self.march.rate(kept.velocity, kept.coefficients)
        return largest(self.transport.space.comm, rates)

    def compressions(self) -> Array:
        """Return the largest mean of -div v over the cells of this rank, (layers,)."""
        a = self.transport.new_coefficients()
        found = np.zeros(self.space.layers)
        for number in range(self.space.layers):
            v = self.network.velocity(self.transport.points, number)
            found[number] = self.transport.rates(self.transport.coefficients(v, a))[1]
        return found

    def layer(self, number: int) -> Layer:
        """Return the memory for a layer, with its velocity in place."""
        return self.layers.of(self.network, number)

    # ------------------------------------------------------------------ forward
    def start(self) -> None:
        """Put the initial densities in place."""
        self.states[:] = self._start
        self.left[:] = 0.0

    def carry(self, number: int, keep: bool) -> None:
        """Make the steps of a layer; where they are kept, a way back can follow."""
        steps = self.layer(number).steps(slice(0, self.steps_per_layer), keep)
        self.march.forward(steps, self.states, self.left)

    def runs(self, number: int, wanted: Array) -> Iterator[slice]:
        """Yield the steps of a layer in parts that start where something is wanted."""
        if self.steps_per_layer == 1:
            yield slice(0, 1)
            return
        start = number * self.steps_per_layer
        inside = 1 + wanted[start + 1 : start + self.steps_per_layer].nonzero()[0]
        ends = [0, *map(int, inside), self.steps_per_layer]
        for first, last in itertools.pairwise(ends):
            yield slice(first, last)

    def _carry(self, number: int, keep: bool, wanted: Array, see: See) -> None:
        """Make the steps of a layer; show the states where they are wanted, and all norms."""
        kept, start = self.layer(number), number * self.steps_per_layer
        for part in self.runs(number, wanted):
            if wanted[start + part.start]:
                see.states(start + part.start)
            see.norms(self.march.forward(kept.steps(part, keep), self.states, self.left))

    def forward(
        self,
        f0: Array,
        visit: Visit | None = None,
        wanted: Array | None = None,
        *,
        reversible: bool = True,
    ) -> Array:
        """Carry the densities from 0 to T, eq. (1), with the controls that were set.

        Args:
            f0: initial densities, (classes, n_owned); kept, not copied.
            visit: called on the way.
            wanted: after which numbers of steps ``visit`` is called, (steps + 1,), bool.
            reversible: whether what a way back needs is kept; it takes memory and time.

        Returns:
            The final densities, (classes, n_owned).

        Raises:
            SolveError: a density is not finite or grows too fast, with the layer and step.

        Parallel: collective.
        """
        growth = Growth(self, self.compressions)
        none = np.zeros(self.steps + 1, dtype=bool)
        wanted = none if visit is None or wanted is None else wanted
        densities = self.march.limiter.densities

        def see(n: int) -> None:
            growth.check()
            assert visit is not None
            visit(n, densities(self.states), self.left)

        def carry(number: int, keep: bool) -> None:
            self._carry(number, keep, wanted, See(see, growth.add))

        self._start = self.march.limiter.packed(f0)
        self.start()
        if reversible:
            self.reversal.forward((self.states, self.left), carry)
        else:
            self.reversal.forget()
            for number in range(self.space.layers):
                carry(number, False)
        growth.add(self.march.squares(self.states)[None])
        if wanted[-1]:
            see(self.steps)
        growth.check()
        self.last[:] = self.states
        self.final = densities(self.last)
        self.final_left[:] = self.left
        return self.final

    def revisit(self, visit: Visit, wanted: Array) -> None:
        """Call ``visit`` with the densities of the last forward sweep.

        What is not held is carried forward again, and a backward sweep cannot follow then.

        Args:
            visit: called in the order of depth.
            wanted: after which numbers of steps, (steps + 1,), bool.

        Parallel: collective.
        """
        densities = self.march.limiter.densities
        if self.plan.whole and self.reversal.ready:
            for n in np.flatnonzero(wanted[:-1]):
                number, m = divmod(int(n), self.steps_per_layer)
                kept = self.layer(number)
                visit(int(n), densities(kept.stages[m, :, 0]), kept.left[m])
        elif wanted[:-1].any():
            self.reversal.forget()
            self.start()
            last = int(np.flatnonzero(wanted[:-1])[-1]) // self.steps_per_layer
            see = See(lambda n: visit(n, densities(self.states), self.left), lambda squares: None)
            for number in range(last + 1):
                self._carry(number, False, wanted, see)
        if wanted[-1]:
            visit(self.steps, self.final, self.final_left)

    # ------------------------------------------------------------------ backward
    def backward(
        self,
        loss: DepthLoss,
        class_weights: Array,
        record: Callable[[int, Array], None] | None = None,
        frozen: Array | None = None,
    ) -> dict[str, Array]:
        """Carry the adjoints from T to 0, eq. (3), and collect the derivative, eq. (4).

        Args:
            loss: the loss over depth.
            class_weights: pi_k, (classes,).
            record: when given, called with the number of layers made and psi there,
                (classes, n_owned), from T to 0; psi may not be kept.
            frozen: when given, the derivative in the coefficients, a ``Coefficients.flat`` a layer.

        Returns:
            The part of this rank in dJ/dtheta, name -> (layers, ...), for the head as it is.

        Parallel: collective.
        """
        controls = self.network.controls
        psi, source = aligned(*self.last.shape), np.zeros_like(self.left)
        derivative = {name: np.zeros(v.shape) for name, v in controls.values.items()}
        head = {name: derivative[name] for name in controls.head}
        limiter, wanted = self.march.limiter, loss.wanted
        after = limiter.density(self.last)

        def charge(n: int, left: Array) -> None:
            at, gain = Parts(after.f, left, controls.of_head()), np.zeros_like(self.final)
            loss.add_derivative(n, at, class_weights, gain, source, head)
            np.add(psi, limiter.packed(gain), out=psi)

        def back(number: int) -> None:
            nonlocal after
            kept, s = self.layer(number), self.layers.sensitivity(number)
            adjoint = Adjoint(psi, source, class_weights, s)
            for steps in reversed(list(self.runs(number, wanted))):
                after = self.march.transpose(kept.steps(steps), adjoint, after)
                n = number * self.steps_per_layer + steps.start
                if wanted[n]:
                    charge(n, kept.left[steps.start])
            # the memory of the layer may be that of the layer before
            after = after.kept()
            if record is not None:
                record(number, limiter.unpacked(psi))
            if frozen is not None:
                frozen[number] = s.flat
            self.layers.pull_back(self.network, number, derivative)

        charge(self.steps, self.final_left)
        if record is not None:
            record(self.space.layers, limiter.unpacked(psi))
        self.reversal.backward((self.states, self.left), self.carry, back)
        return derivative
