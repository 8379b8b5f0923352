# %% tags=["remove-cell"]
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT

# %% [markdown]
# # A density of your own, without training
#
# The mean field of a network is a question of its own: which density do given weights $W(t)$, $b(t)$
# make of a given one? The answer is the continuity equation
#
# $$\partial_t f + \operatorname{div}\bigl(\sigma(W(t)x + b(t))\,f\bigr) = 0, \qquad f(0) = f_0,$$
#
# and three lines solve it: the controls, the case, `mean_field`.

# %%
import matplotlib.pyplot as plt
import numpy as np

import mfresnet
from mfresnet.network import flow as carry

layers = 20
t = (np.arange(layers) + 0.5) / layers
W = np.array(
    [[[np.cos(4 * s), -np.sin(4 * s)], [np.sin(4 * s), np.cos(4 * s)]] for s in t]
)
b = np.stack([np.sin(2 * np.pi * t), np.zeros(layers)], axis=1)
controls = mfresnet.Controls({"W": 1.5 * W, "b": b})

ring = "exp(-12 * (hypot(x[0], x[1]) - 0.8)**2)"
case = mfresnet.Case(
    mesh={"cells": [40, 40], "lower": [-2.6, -2.6], "upper": [2.6, 2.6]},
    classes=[
        {
            "density": {"kind": "expression", "expression": ring},
            "target": [0.0, 0.0],
        }
    ],
)
flow = mfresnet.mean_field(case, controls)

# %% [markdown]
# The target belongs to the loss, of which there is no need here: nothing is minimised. The density is any
# formula; it is divided by its integral.

# %%
figure, panels = plt.subplots(
    1, 4, figsize=(8.2, 2.3), layout="constrained", sharey=True
)
frame = (np.array([-2.0, -2.0]), np.array([2.0, 2.0]))
for axes, layer in zip(panels, (0, 7, 14, 20), strict=True):
    mfresnet.plot_densities(axes, flow, layer, frame)
    axes.set_title(f"t = {layer / layers:.2g}")

# %% [markdown]
# ## Beside particles
#
# Samples of the same density, moved by the same network, are its particles. Their mean approaches that of
# the density with the order $N^{-1/2}$: the last column is about constant.

# %%
rng = np.random.default_rng(1)
density, exact = case.classes[0].density, flow.means(0)[-1]
network = flow.functional.network(flow.theta)
for n in (100, 1000, 10_000):
    ends = [carry(network, density.sample(n, rng))[-1] for _ in range(20)]
    apart = np.array([np.linalg.norm(x.mean(axis=1) - exact) for x in ends])
    rms = np.sqrt(np.mean(apart**2))
    print(
        f"{n:6d} particles: mean off by {rms:.1e}, times sqrt(n): {rms * n**0.5:.2f}"
    )

# %% [markdown]
# ## As arrays and as DOLFINx functions
#
# `densities` gives degrees of freedom, (layers + 1, classes, dofs); `functions` the same as
# `dolfinx.fem.Function`, so that UFL can integrate what it likes.

# %%
import dolfinx.fem
import ufl

f = flow.functions([-1])[0][0]
x = ufl.SpatialCoordinate(f.function_space.mesh)
mass, second = (
    dolfinx.fem.assemble_scalar(dolfinx.fem.form(integrand * ufl.dx))
    for integrand in (f, ufl.inner(x, x) * f)
)
print(flow.densities([-1]).shape, f"mass {mass:.12f}, second moment {second:.5f}")

# %%
balance = flow.balance()
print(
    "least and largest density:",
    np.round([balance.min_density, balance.max_density], 4),
)

# %% [markdown]
# The little that is below zero are undershoots of the discontinuous Galerkin method; with
# `time={"limiter": "zhang_shu"}` there are none. Their size and the mass that has left are lines of
# [the certificate](certificate.py).
