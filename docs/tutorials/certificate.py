# %% tags=["remove-cell"]
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT

# %% [markdown]
# # The certificate and the error
#
# A number that comes out of a finite-element program is right when somebody has looked. Here the program
# looks itself, in ways that do not share what they check. This is `mfresnet verify CASE` (or `RUN`).

# %%
import mfresnet
from mfresnet.verification import certify, check_table, loss_error, lower_bound

round_cloud = [[0.12, 0.0], [0.0, 0.12]]
case = mfresnet.Case(
    mesh={"cells": [20, 20], "lower": [-3.5, -3.0], "upper": [3.5, 3.0]},
    network={"layers": 5},
    classes=[
        {"density": {"kind": "gaussian", "mean": [-0.7, 0.3], "covariance": round_cloud},
         "target": [-1.5, 0.0]},
        {"density": {"kind": "gaussian", "mean": [0.7, -0.3], "covariance": round_cloud},
         "target": [1.5, 0.0]},
    ],
    training={"gradient_tolerance": 1e-3},
)  # fmt: skip
J = mfresnet.ReducedFunctional(case)
theta = mfresnet.minimise(J).theta
print(check_table(certify(J, theta)))

# %% [markdown]
# ## What the lines say
#
# | line | what is compared | if it fails |
# |---|---|---|
# | transpose identity | $(\psi, Af)$ with $(A^*\psi, f)$, for fields that look random | a defect of the program |
# | pairing drift | $(f,\psi)$ at the ends of all layers, $\psi$ carried back | the backward steps are not the transposes of the forward ones |
# | Taylor remainder | $J(\theta+\varepsilon h)$ with its expansion of order 0, 1, 2: the rates are 1, 2, 3 | a wrong derivative or Hessian action |
# | mass balance | the mass at $T$ and what has left with the mass at 0 | a flux that does not keep the mass |
# | time step over its limit | the time steps with the longest stable one | too few time steps |
# | outflow | the mass of a class that has left | the box is too small |
# | initial mass | the mass of the projected densities with 1 | the mesh does not hold or resolve them |
# | undershoot | the least density with the largest | the mesh is too coarse for what the network does |
# | loss against half the time step | the loss with that of twice as many steps | too few time steps |
# | loss below its lower bound | the loss with what no network can reach | the mesh is too coarse |
# | loss: relative error | the loss with that of points, and of a finer mesh | the number is that of the mesh and not of the problem |
#
# The first four hold to rounding on every mesh, however coarse: they say that the *discrete* problem is
# solved. The others say how far it is from the continuous one. Undershoots and outflow do not fail where the
# loss itself is found to be right.
#
# ## The error of the loss
#
# Points of the initial densities, moved by the network without any mesh, give the loss in one way; a
# finer mesh in another. When they agree, their difference from the loss at hand is its error.

# %%
error = loss_error(J, theta)
print(error.sentence())
for way in error.ways:
    print(f"  {way.how}: {way.loss:.6f}")

# %% [markdown]
# A mesh that is too coarse is found out:

# %%
coarse = mfresnet.ReducedFunctional(
    case.with_({"mesh": {"cells": [6, 6]}, "space": {"degree": 1}})
)
print(loss_error(coarse, theta).sentence())

# %% [markdown]
# ## How good could it be?
#
# Before training, arguments that hold for all controls bound the loss from below.

# %%
bound = lower_bound(J.problem)
print(bound.sentence())
print(f"reached: {J.loss(theta):.4f}")

# %% [markdown]
# ## Or ask for an accuracy
#
# Without `mesh.cells` the training chooses cells and degree itself until the error of $J$ is as small as
# asked, and says both, see [Accuracy on request](../accuracy.md).

# %%
asked = mfresnet.Case(
    accuracy=1e-3,
    mesh={"cell": "interval"},
    classes=[
        {
            "density": {"kind": "gaussian", "mean": 0.0, "covariance": 0.06},
            "target": 0.8,
        }
    ],
    training={"gradient_tolerance": 1e-3},
    output={"fields": False, "pictures": False},
)
run = mfresnet.run(asked, "results/asked", overwrite=True)
