# %% tags=["remove-cell"]
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT

# %% [markdown]
# # Export to PyTorch and ONNX
#
# A trained network is a file by itself and an ordinary residual network: it runs where there is no mesh,
# no PETSc and no mfresnet. First a small one.

# %%
import subprocess
import sys

import numpy as np
from sklearn.datasets import load_iris

import mfresnet

iris = load_iris(as_frame=True)
iris.frame.to_csv("iris.csv", index=False)
case = mfresnet.Case(
    data={"file": "iris.csv", "label": "target", "reduce": {"dimension": 2}},
    loss={"kind": "cross_entropy"},
    network={"layers": 2},
    mesh={"cells": [20, 20]},
    training={"gradient_tolerance": 1e-2},
    output={"fields": False, "pictures": False},
)
mfresnet.run(case, "results/iris", overwrite=True)
network = mfresnet.load_network("results/iris")
rows = iris.data.to_numpy()
print(network.labels, "by", network.features)
print("class of the first row:", network.labels[network.predict(rows)[0]])

# %% [markdown]
# Scaling and principal components belong to the network: it takes the features as they are in the table.
#
# ## PyTorch
#
# `export --to torch` writes the weights and a module that needs PyTorch alone, to read and to change.

# %%
line = (
    f"{sys.executable} -m mfresnet export results/iris iris.pt --to torch".split()
)
print(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
print(open("iris.py").read()[:1180], "...")

# %%
import importlib.util

import torch

spec = importlib.util.spec_from_file_location("iris_module", "iris.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
model = module.load()
with torch.no_grad():
    positions = model(torch.from_numpy(rows)).numpy()
    chances = model.probabilities(torch.from_numpy(rows)).numpy()
print("positions apart by    ", np.abs(positions - network.positions(rows)).max())
print("probabilities apart by", np.abs(chances - network.probabilities(rows)).max())

# %% [markdown]
# It is a `torch.nn.Module` with parameters: train it on, put layers before it, or take its weights back
# into a case with `initial = { kind = "file", file = "weights.pt" }`. From Python the same is
# `mfresnet.trained.export(network, "torch", "iris.pt")`.
#
# ## ONNX
#
# An ONNX model runs where there is no Python; here in a process that knows neither PyTorch nor mfresnet.

# %%
line = (
    f"{sys.executable} -m mfresnet export results/iris iris.onnx --to onnx".split()
)
print(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
ELSEWHERE = """
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("iris.onnx")
rows = np.genfromtxt("iris.csv", delimiter=",", skip_header=1)[:, :4]
print("inputs ", [i.name for i in session.get_inputs()])
print("outputs", [o.name for o in session.get_outputs()])
np.save("chances.npy", session.run(["probabilities"], {"features": rows})[0])
"""
line = [sys.executable, "-c", ELSEWHERE]
print(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
print(
    "apart by", np.abs(np.load("chances.npy") - network.probabilities(rows)).max()
)

# %% [markdown]
# ## A whole table
#
# `mfresnet predict RUN TABLE --out FILE` writes class, probabilities and final position of every row, and
# reads tables that are larger than the memory.

# %%
line = f"{sys.executable} -m mfresnet predict results/iris iris.csv --out out.csv".split()
print(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
print(*open("out.csv").read().splitlines()[:3], sep="\n")
