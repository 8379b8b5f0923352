# %% tags=["remove-cell"]
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT

# %% [markdown]
# # Steer a density to a density
#
# Which weights turn one density into another? The loss is then a distance of densities,
#
# $$J(\theta) = \tfrac12\,\|f(T) - g\|_{L^2}^2 + \text{cost of the outflow} + \tfrac\alpha2\int_0^T|\theta|^2\,dt.$$
#
# A network with the square block cannot tear mass apart; a wide block $v = V\sigma(Wx+b)+c$ can. Here a
# Gaussian becomes two modes.

# %%
import matplotlib.pyplot as plt
import numpy as np

import mfresnet


def gaussian(mean, variance):
    """Return a round Gaussian as a case has it."""
    return {
        "kind": "gaussian",
        "mean": mean,
        "covariance": (variance * np.eye(2)).tolist(),
    }


two_modes = {
    "kind": "mixture",
    "components": [
        {"weight": 0.5, "density": gaussian([-1.1, 0.4], 0.2)},
        {"weight": 0.5, "density": gaussian([1.1, -0.4], 0.2)},
    ],
}
case = mfresnet.Case(
    mesh={"cells": [18, 16], "lower": [-4.0, -3.5], "upper": [4.0, 3.5]},
    network={"block": "wide", "width": 8, "layers": 4},
    classes=[{"density": gaussian([0.0, 0.0], 0.35)}],
    loss={"kind": "density_l2", "target": two_modes},
    penalty={"tikhonov": 1e-5},
    initial={"kind": "random", "seed": 1},
    training={"max_iterations": 120, "gradient_tolerance": 1e-4},
)
J = mfresnet.ReducedFunctional(case)
result = mfresnet.minimise(J)
print(
    f"loss from {J.loss(J.theta0):.2e} to {J.loss(result.theta):.2e}: {result.message}"
)

# %%
path = mfresnet.Trajectory(J, result.theta)
print("relative L2 error:", path.loss_report()["relative_l2_error"].round(4))
figure, panels = plt.subplots(
    1, 3, figsize=(8.2, 2.6), layout="constrained", sharey=True
)
frame = (np.array([-2.8, -2.2]), np.array([2.8, 2.2]))
for axes, layer in zip(panels, (0, 2, 4), strict=True):
    mfresnet.plot_densities(axes, path, layer, frame)
    axes.set_title(f"t = {layer / 4:.2g}")

# %% [markdown]
# The mass is parted along a line, where the density is thin: a flow is a homeomorphism, and cannot do
# better than press the middle together ([what can be reached](../theory/control.md)).
#
# ## Gaussian to Gaussian has a closed form
#
# A linear network, $v = Wx + b$, carries Gaussians to Gaussians, and `gaussian_control` gives weights
# that steer one exactly to another. On the mesh the error is that of the discretisation.

# %%
goal = [[0.30, 0.18], [0.18, 0.24]]
exact = mfresnet.gaussian_control([0.0, 0.0], 0.2 * np.eye(2), [0.8, 0.3], goal)
linear = mfresnet.Case(
    mesh={"cells": [16, 16], "lower": [-3.2, -3.2], "upper": [4.0, 3.5]},
    network={"activation": "identity", "layers": 1},
    classes=[{"density": gaussian([0.0, 0.0], 0.2)}],
    loss={
        "kind": "density_l2",
        "target": {"kind": "gaussian", "mean": [0.8, 0.3], "covariance": goal},
    },
)
for degree in (1, 2, 3):
    flow = mfresnet.mean_field(linear.with_({"space": {"degree": degree}}), exact)
    print(
        f"degree {degree}: relative L2 error",
        flow.loss_report()["relative_l2_error"].round(6),
    )

# %% [markdown]
# ## To the density of samples
#
# With `task = "density"` the goal is the density of the rows of a table, and the trained network makes
# new rows and knows their density. `MeanFieldDensity` is the estimator for it.

# %%
rng = np.random.default_rng(0)
angle = rng.uniform(0.0, np.pi, 400)
moon = np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.15 * rng.normal(
    size=(400, 2)
)
model = mfresnet.MeanFieldDensity(gradient_tolerance=1e-2).fit(moon)
drawn = model.sample(400)
figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.plot(*moon.T, ".", ms=3, label="given")
axes.plot(*drawn.T, ".", ms=3, label="drawn")
axes.set_aspect("equal")
axes.legend()
print("mean log likelihood:", round(float(model.score(moon)), 3))
