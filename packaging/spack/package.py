# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The recipe for Spack. Not built so far; py-checkpoint-schedules needs one of its own there.

In a repository of packages it is packages/py_mfresnet/package.py. To submit it, give the archive of
the release as url and its SHA-256 to version(); here the source is a checkout:

    spack develop --path "$PWD" py-mfresnet@=0.1.0
"""

from spack.package import *
from spack_repo.builtin.build_systems.python import PythonPackage


class PyMfresnet(PythonPackage):
    """Training of residual neural networks in the limit of infinitely many data."""

    license("MIT")

    version("0.1.0")

    variant("space", default=False, description="Pictures in 3-D")
    variant("meshes", default=False, description="Meshes from files")
    variant("export", default=False, description="Export to the formats torch and onnx")

    depends_on("c", type=("build", "run"))
    depends_on("python@3.11:", type=("build", "run"))
    depends_on("py-setuptools@68:", type="build")

    with default_args(type=("build", "run")):
        depends_on("py-fenics-dolfinx@0.9:")
        depends_on("py-petsc4py")
        depends_on("py-mpi4py@4:")
        depends_on("py-checkpoint-schedules")
        depends_on("py-cffi")
        depends_on("py-numpy")
        depends_on("py-scipy")
        depends_on("py-pydantic@2.10:")
        depends_on("py-typer@0.15:")
        depends_on("py-click")
        depends_on("py-rich")
        depends_on("py-jinja2")
        depends_on("py-lazy-loader")
        depends_on("py-tomli-w")
        depends_on("py-pandas")
        depends_on("py-pyarrow")
        depends_on("py-h5py")
        depends_on("py-scikit-learn")
        depends_on("py-matplotlib")
        depends_on("py-pyvista", when="+space")
        depends_on("py-meshio", when="+meshes")
        depends_on("py-torch", when="+export")
        depends_on("py-onnx", when="+export")
