# %% tags=["remove-cell"]
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT

# %% [markdown]
# # Your first network
#
# Two classes in the plane are Gaussian clouds. A residual network with ten layers shall push each of
# them to a target. No samples are drawn: the clouds themselves move, as densities on a mesh.
#
# A problem is a *case*: a file in TOML, or the same sections as keyword arguments.

# %%
import matplotlib.pyplot as plt
import numpy as np

import mfresnet

round_cloud = [[0.12, 0.0], [0.0, 0.12]]
case = mfresnet.Case(
    title="Two classes in the plane",
    mesh={"cells": [24, 24], "lower": [-3.5, -3.0], "upper": [3.5, 3.0]},
    network={"activation": "tanh", "layers": 10, "final_time": 1.0},
    classes=[
        {
            "label": "left",
            "density": {
                "kind": "gaussian",
                "mean": [-0.7, 0.3],
                "covariance": round_cloud,
            },
            "target": [-1.5, 0.0],
        },
        {
            "label": "right",
            "density": {
                "kind": "gaussian",
                "mean": [0.7, -0.3],
                "covariance": round_cloud,
            },
            "target": [1.5, 0.0],
        },
    ],
    penalty={"tikhonov": 1e-2},
    training={"gradient_tolerance": 1e-4},
)

# %% [markdown]
# `ReducedFunctional` is the objective $J(\theta)$ of the controls $\theta = (W_l, b_l)_{l=1}^{10}$. It
# takes and gives flat NumPy vectors, the same on all ranks. `minimise` hands it to PETSc.

# %%
J = mfresnet.ReducedFunctional(case)
result = mfresnet.minimise(J)
print(
    f"J from {J.value(J.theta0):.4f} to {result.value:.4f} in {result.iterations} iterations."
)
print(result.message)

# %% [markdown]
# ## What has it learnt?
#
# `Trajectory` is what one looks at along the depth. `plot_densities` draws into axes of your own: the
# four tones hold 25, 50, 75 and 95 % of the mass of a class, crosses are the targets.

# %%
path = mfresnet.Trajectory(J, result.theta)
figure, panels = plt.subplots(
    1, 3, figsize=(8.2, 2.7), layout="constrained", sharey=True
)
frame = (np.array([-2.3, -1.3]), np.array([2.3, 1.3]))
for axes, layer in zip(panels, (0, 5, 10), strict=True):
    mfresnet.plot_densities(axes, path, layer, frame)
    axes.set_title(f"after {layer} layers")

# %% [markdown]
# The controls by their names: in every layer a matrix $W$ and a bias $b$.

# %%
controls = J.controls.from_vector(result.theta)
print("W of the first layer:", np.round(controls.W[0], 3).tolist())
print("b of all layers:     ", np.abs(controls.b).max().round(3), "at most")

# %% [markdown]
# ## The whole run
#
# `mfresnet.run` does what the command `mfresnet run CASE` does: it trains, checks the loss in a second
# way, and writes numbers, fields, pictures and the network into a directory. Without `mesh.cells` it
# would choose the mesh for an accuracy; here the mesh is given.

# %%
run = mfresnet.run(case, "results/first", overwrite=True)
print(*sorted(p.name for p in run.directory.iterdir()))

# %% [markdown]
# The network by itself needs neither mesh nor case any more. `predict` takes samples as rows.

# %%
network = mfresnet.load_network("results/first")
samples = np.array([[-0.5, 0.1], [0.1, 0.0], [0.9, -0.8]])
print([network.labels[k] for k in network.predict(samples)])
print(network.positions(samples).round(2))

# %% [markdown]
# Next: [a table of your own](your_table.py), or what [the certificate](certificate.py) says about these
# numbers.
