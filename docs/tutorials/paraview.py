# %% tags=["remove-cell"]
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT

# %% [markdown]
# # ParaView and PyVista
#
# A run leaves its fields in `fields/`: densities, adjoints, velocity, and the sets of mass, at every depth;
# samples and their paths beside them. One data set, whatever the number of ranks.

# %%
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np

import mfresnet

cloud = (0.2 * np.eye(3)).tolist()
case = mfresnet.Case(
    mesh={
        "cell": "hexahedron",
        "cells": [9, 9, 9],
        "lower": [-2.8, -2.8, -2.8],
        "upper": [2.8, 2.8, 2.8],
        "outflow_tolerance": 1e-3,
    },
    network={"layers": 2, "final_time": 0.6},
    classes=[
        {"label": "a", "density": {"kind": "gaussian", "mean": [-0.4, 0.0, 0.2], "covariance": cloud},
         "target": [-1.0, 0.0, 0.0]},
        {"label": "b", "density": {"kind": "gaussian", "mean": [0.4, 0.2, 0.0], "covariance": cloud},
         "target": [1.0, 0.0, 0.0]},
    ],
    training={"gradient_tolerance": 2e-2},
    output={"pictures": False},
)  # fmt: skip
run = mfresnet.run(case, "results/space", overwrite=True)
print(*sorted({p.suffix for p in (run.directory / "fields").iterdir()}))

# %% [markdown]
# ## PyVista
#
# `read_fields` gives everything as a `pyvista.MultiBlock`, a block a depth.

# %%
blocks = mfresnet.read_fields("results/space")
print([blocks.get_block_name(i) for i in range(len(blocks))])
last = blocks["fields"][-1]
print(last.n_cells, "cells;", *last.point_data.keys())

# %% [markdown]
# `mass_share_a` at a point is the share of the mass of class a that lies where its density is larger.
# So the surface of the value 0.5 holds half of the mass. A script on a machine without a screen needs
# one: `xvfb-run python3 SCRIPT`.

# %%
SCRIPT = """
import mfresnet, pyvista

last = mfresnet.read_fields("results/space")["fields"][-1]
grid = pyvista.create_grid(last, dimensions=(90, 90, 90)).sample(last)
plotter = pyvista.Plotter(off_screen=True, window_size=(1200, 760))
for label, colour in (("a", "#0072b2"), ("b", "#e69f00")):
    for share in (0.5, 0.9):
        surface = grid.contour([share], scalars=f"mass_share_{label}")
        plotter.add_mesh(surface, color=colour, opacity=1.1 - share, smooth_shading=True)
plotter.screenshot("space.png")
"""
subprocess.run(
    ["xvfb-run", "-a", sys.executable, "-c", SCRIPT],
    check=True,
    capture_output=True,
)
figure, axes = plt.subplots(figsize=(7, 4.4))
axes.imshow(plt.imread("space.png"))
axes.axis("off")
figure.tight_layout(pad=0)

# %% [markdown]
# ## ParaView
#
# `mfresnet view results/space` opens a window with the sets of mass of every class, `--paraview` starts
# ParaView with them; `--script FILE` writes
# a script that `paraview --script=FILE` or `pvbatch FILE PICTURE.png` runs. Without either, open
# `fields/fields.pvd`, press Apply, and play over depth.

# %%
line = f"{sys.executable} -m mfresnet view results/space --script view.py".split()
print(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
print(*open("view.py").read().splitlines()[:6], sep="\n")

# %% [markdown]
# For very many ranks `output.bp = true` writes the same fields as ADIOS2 files (`fields/*.bp`), few files
# on any number of ranks.
