# %% tags=["remove-cell"]
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT

# %% [markdown]
# # An optimality system by hand
#
# State, adjoint and derivative are fields and arrays that one can take into one's own hands. This page
# solves the optimality system of [the theory](../theory/optimality.md) with nothing of the library but
# the two sweeps: the derivative is put together from the fields, and the descent is one's own.
#
# The problem: bring a Gaussian on the line to the point 1.5 by the bias alone, in a tanh network.

# %%
import matplotlib.pyplot as plt
import numpy as np

import mfresnet

alpha, layers = 0.05, 10
case = mfresnet.Case(
    mesh={"cell": "interval", "cells": [72], "lower": -3.5, "upper": 4.0},
    network={"activation": "tanh", "layers": layers, "trainable": ["b"]},
    classes=[
        {
            "density": {"kind": "gaussian", "mean": 0.0, "covariance": 0.06},
            "target": 1.5,
        },
    ],
    penalty={"tikhonov": alpha},
)
J = mfresnet.ReducedFunctional(case)
space, dt = J.problem.space, J.controls.layer_time

# %% [markdown]
# ## State and adjoint
#
# $$\partial_t f + \partial_x(v f) = 0, \quad f(0) = f_0; \qquad
#   -\partial_t\psi - v\,\partial_x\psi = 0, \quad \psi(T,x) = \tfrac12(x - 1.5)^2.$$

# %%
theta = J.theta0
path = mfresnet.Trajectory(J, theta)
f, psi = path.densities()[:, 0], path.adjoints()[:, 0]
print("degrees of freedom at the layers' ends:", f.shape, psi.shape)

# %% [markdown]
# The pairing $\int f\psi\,dx$ is the same at all depths, as the one equation is the adjoint of the other;
# on the mesh too, for the discrete adjoint is the exact transpose, but for the little mass that leaves
# it and pays there.

# %%
pairing = (f * psi) @ space.mass
print("largest change of the pairing:", np.ptp(pairing))

# %% [markdown]
# ## The derivative
#
# $$\frac{dJ}{db(t)} = \int f\,\partial_x\psi\;\sigma'(Wx+b)\,dx + \alpha\,b(t).$$
#
# The integral over $x$ takes the quadrature of the space, that over a layer Simpson's rule between
# the fields at its ends, or here the trapezoidal one.

# %%
rule = space.quadrature
x = rule.x[..., 0]


def derivative_by_hand(theta):
    """Return dJ/db of all layers, (layers,), from the fields at the ends of the layers."""
    path, controls = mfresnet.Trajectory(J, theta), J.controls.from_vector(theta)
    f, psi = path.densities()[:, 0], path.adjoints()[:, 0]
    slope = (psi[:, space.dofs] @ rule.gradient[0].T) * rule.inverse[..., 0, 0]
    product = space.at_quadrature(f) * slope * rule.weights
    result = np.empty(layers)
    for n in range(layers):
        u = controls.W[n] * x + controls.b[n]
        at_ends = (product[n : n + 2] * (1.0 - np.tanh(u) ** 2)).sum(axis=(1, 2))
        result[n] = dt * at_ends.mean() + alpha * dt * controls.b[n, 0]
    return result


mine, exact = derivative_by_hand(theta), J.derivative(theta)
print("by hand:", mine[:4].round(5))
print("exact:  ", exact[:4].round(5))
print("apart by", f"{np.abs(mine - exact).max() / np.abs(exact).max():.1e}")

# %% [markdown]
# They differ by the trapezoidal rule and the mesh. `J.derivative` is the derivative of the discrete $J$:
# against differences of $J$ it stands until rounding takes over.

# %%
h = np.cos(np.arange(layers))
for e in (1e-2, 1e-3, 1e-4):
    difference = (J.value(theta + e * h) - J.value(theta - e * h)) / (2.0 * e)
    print(f"step {e:.0e}: exact {abs(exact @ h - difference):.1e}, by hand "
          f"{abs(mine @ h - difference):.1e}")  # fmt: skip

# %% [markdown]
# ## Your own descent
#
# Steepest descent in $L^2(0,T)$: the gradient is the derivative over $\Delta t$, the step is halved until
# Armijo's rule holds.


# %%
def descend(derivative, theta, tolerance=1e-4):
    """Return theta and J of all iterates."""
    value, values, step = J.value(theta), [], 1.0
    for _ in range(100):
        values.append(value)
        slope = derivative(theta)
        gradient = slope / dt
        if np.sqrt(dt * gradient @ gradient) < tolerance:
            break
        step *= 2.0
        while (
            new := J.value(theta - step * gradient)
        ) > value - 1e-4 * step * slope @ gradient:
            step /= 2.0
            if step < 1e-10:
                return theta, values
        theta, value = theta - step * gradient, new
    return theta, values


by_hand, own = descend(derivative_by_hand, J.theta0)
by_adjoint, discrete = descend(J.derivative, J.theta0)
best = mfresnet.minimise(J)
print(f"J: {own[-1]:.8f} by hand, {discrete[-1]:.8f} with the exact derivative, "
      f"{best.value:.8f} by PETSc")  # fmt: skip

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 2.7), layout="constrained")
for values, name in ((own, "by hand"), (discrete, "exact derivative")):
    left.semilogy(np.array(values) - best.value + 1e-12, ".-", label=name)
left.set(xlabel="iteration", ylabel="J above its least value")
left.legend()
frame = mfresnet.plot_densities(right, mfresnet.Trajectory(J, by_hand), 0)
mfresnet.plot_densities(right, mfresnet.Trajectory(J, by_hand), -1, frame)
right.set_ylabel("density at 0 and at T")

# %% [markdown]
# With the derivative by hand the descent ends a little above: near the optimum the error of the
# trapezoidal rule is as large as the derivative itself. That is what the exact discrete derivative is for.
# A minimiser of one's own may also ask for `J.hessian_action(theta, h)`, and
# `mfresnet.optimise.minimise` takes any object with `value`, `derivative` and a control space.
