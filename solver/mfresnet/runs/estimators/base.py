# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What the estimators for scikit-learn share: a case made from arrays, trained.

The estimators themselves are in ``classifier``, ``regressor`` and ``density_estimator``.
"""

from __future__ import annotations

from mpi4py import MPI

import warnings
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import validation

from mfresnet.arrays import Array
from mfresnet.case import TABLES, Case, from_samples, parse, without_none
from mfresnet.data import LARGEST_DIMENSION, ArrayTable, load_data, to_numbers
from mfresnet.errors import InputError
from mfresnet.functional import ReducedFunctional, trained_network
from mfresnet.network import ACTIVATIONS, BLOCKS
from mfresnet.runs.estimators.shown import Shown
from mfresnet.tasks import TASKS
from mfresnet.trained import TrainedNetwork
from mfresnet.training import train_case

SPEED = 2.0
"""Speed for which the box has room where the velocity has no bound of its own."""


def _place(name: Any, row: int) -> str:
    """Return where a value of a table stands, for messages."""
    return f"X: row {row}, column '{name}'"


class MeanFieldEstimator(Shown, BaseEstimator):
    """What the estimators share: their parameters, which are keys of a case, and the training.

    Args:
        layers: number of layers; when not given, that of ``TABLES``, or of ``plain``.
        activation: a name in ``ACTIVATIONS``.
        block: a name in ``BLOCKS``; likewise.
        width: hidden units of a wide block; likewise.
        final_time: T.
        cells: cells of the mesh in each direction; when not given they are chosen for an accuracy
            where the network is that of ``TABLES``, else see ``grids``.
        degree: degree of the DG space; the time stepping has the next order.
        dimension: number of principal components. When not given, features are kept as they are
            while the mesh, which has a direction more for the label of a regression, has at most
            three dimensions; more features are reduced to two components.
        scale: ``standard``, ``robust`` or ``none``: how features are scaled.
        bandwidth: a number, or ``scott``, ``silverman``, ``likelihood`` or ``sharp``; likewise.
        loss: a name in ``LOSSES``; likewise.
        head: a name in ``HEADS``, for a loss that has one; likewise.
        prototypes: of each class, for a head that has them; likewise.
        tikhonov: weight of the penalty on the controls; likewise.
        method: the optimiser, a name in ``METHODS``.
        max_iterations: most iterations; likewise.
        gradient_tolerance: on the L2(0, T) norm of the gradient.
        seed: of random initial controls.

    The parameters that are not given are those of a case with such a table, ``TABLES``, where
    neither the cells nor another loss are given; else those of ``plain``.

    Attributes:
        task: a name in ``TASKS``.
        plain: the parameters of a network on a mesh that is given.
        grids: dimension -> cell type and cells in each direction where they are not chosen: few,
            for seconds rather than digits.
    """

    task: ClassVar[str] = "classification"
    plain: ClassVar[dict[str, Any]] = {
        "loss": "cross_entropy",
        "tikhonov": 1e-2,
        "layers": 5,
        "max_iterations": 100,
    }

    grids: ClassVar[dict[int, tuple[str, int]]] = {
        1: ("interval", 64),
        2: ("quadrilateral", 20),
        3: ("hexahedron", 10),
    }

    def __init__(
        self,
        *,
        layers: int | None = None,
        activation: str = "tanh",
        block: str | None = None,
        width: int | None = None,
        final_time: float = 1.0,
        cells: int | None = None,
        degree: int = 2,
        dimension: int | None = None,
        scale: str = "standard",
        bandwidth: float | str | None = None,
        loss: str | None = None,
        head: str | None = None,
        prototypes: int | None = None,
        tikhonov: float | None = None,
        method: str = "lmvm",
        max_iterations: int | None = None,
        gradient_tolerance: float = 1e-3,
        seed: int = 0,
    ) -> None:
        """Keep the parameters; ``fit`` checks them."""
        self.layers = layers
        self.activation = activation
        self.block = block
        self.width = width
        self.final_time = final_time
        self.cells = cells
        self.degree = degree
        self.dimension = dimension
        self.scale = scale
        self.bandwidth = bandwidth
        self.loss = loss
        self.head = head
        self.prototypes = prototypes
        self.tikhonov = tikhonov
        self.method = method
        self.max_iterations = max_iterations
        self.gradient_tolerance = gradient_tolerance
        self.seed = seed

    def keys(self) -> dict[str, Any]:
        """Return the parameters that the case is given: those that are, or are ``plain``.

        The width goes with the block: another block than the plain one has none.
        """
        names = {*self.plain, "block", "width", "head", "prototypes", "bandwidth"}
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        plain = {n: v for n, v in self.plain.items() if n != "width" or "block" not in given}
        return given if self._chosen() else plain | given

    def _chosen(self) -> bool:
        """Return whether the training chooses the cells, for the network of ``TABLES``."""
        usual = TABLES.get(self.task)
        return usual is not None and self.cells is None and self.loss in (None, self.loss_name)

    @property
    def loss_name(self) -> str:
        """Return the name of the loss."""
        usual = TABLES.get(self.task, {}).get("loss", {}).get("kind")
        return self.loss or usual or self.plain["loss"]

    def _coordinates(self, n_features: int) -> tuple[int, int | None]:
        """Return the number of coordinates that move, and of principal components or None.

        Raises:
            InputError: the mesh cannot have so many dimensions.
        """
        most = LARGEST_DIMENSION - TASKS[self.task].still
        if self.dimension is not None and self.dimension > most:
            raise InputError(
                f"dimension: too many components; got {self.dimension}, expected at most {most} "
                f"for task {self.task}. Lower it."
            )
        dimension = 2 if self.dimension is None and n_features > most else self.dimension
        return (n_features if dimension is None else dimension), dimension

    def _case(
        self, n_features: int, extent: Array | None = None, scale: float | None = None
    ) -> Case:
        """Return the case, with the corners ``extent``, (2, d), once they are known.

        Args:
            n_features: number m of features.
            extent: the corners.
            scale: ``initial.scale``, None for its default.
        """
        moving, dimension = self._coordinates(n_features)
        d, keys = moving + TASKS[self.task].still, self.keys()
        cell, cells = self.grids.get(d, self.grids[2])
        mesh: dict[str, Any] = {"cell": cell}
        if not self._chosen():
            mesh["cells"] = [cells if self.cells is None else self.cells] * d
            box = np.array([[-1.0] * d, [1.0] * d]) if extent is None else extent
            mesh |= {"lower": box[0].tolist(), "upper": box[1].tolist()}
        penalty: dict[str, Any] = {}
        if "tikhonov" in keys:
            share = TABLES[self.task]["penalty"]["tikhonov"]["head"] if self._chosen() else 1.0
            penalty["tikhonov"] = {"weight": keys["tikhonov"], "head": share}
        case = {
            "task": self.task,
            "mesh": mesh,
            "space": {"degree": self.degree},
            "network": {name: keys.get(name) for name in ("layers", "block", "width")}
            | {"activation": self.activation, "final_time": self.final_time},
            "data": {
                "file": "samples",
                "label": TASKS[self.task].label and "label",
                "weights": "weight",
                "scale": self.scale,
                "reduce": None if dimension is None else {"dimension": dimension},
                "bandwidth": keys.get("bandwidth"),
                "test_fraction": 0.0,
            },
            "loss": {
                "kind": self.loss_name,
                "head": keys.get("head"),
                "prototypes": keys.get("prototypes"),
            },
            "penalty": penalty,
            "initial": {"seed": self.seed, "scale": scale},
            "training": {
                "method": self.method,
                "max_iterations": keys.get("max_iterations"),
                "gradient_tolerance": self.gradient_tolerance,
            },
        }
        return parse(without_none(case))

    def _train(
        self, x: Array, weights: Array, labels: Array | None = None, scale: float | None = None
    ) -> tuple[ReducedFunctional, Array]:
        """Train on samples x, (n, m), with labels (n,), keep the network, return J and controls.

        ``scale`` is that of random initial controls.

        The box reaches beyond the densities by what the velocity can do; where it has no bound of
        its own by ``SPEED``, and what leaves the box pays where it leaves. Nothing moves along the
        label of a regression.
        """
        names = [f"x{i + 1}" for i in range(x.shape[1])]
        columns = dict(zip(names, x.T, strict=True)) | {"weight": weights}
        table = ArrayTable(columns if labels is None else columns | {"label": labels})
        case, numeric = self._case(len(names)), TASKS[self.task].still
        assert case.data is not None
        dataset = load_data(case.data, MPI.COMM_SELF, table, numeric_label=numeric)
        population = from_samples(case, dataset)
        bound = BLOCKS[case.network.block].bound(ACTIVATIONS[self.activation])
        reach = self.final_time * (bound if np.isfinite(bound) else SPEED)
        moved: Array = np.arange(case.dimension) < case.moving
        box = population.extent + np.outer([-reach, reach], moved)
        case = self._case(len(names), box, scale)
        found = train_case(case, population, MPI.COMM_SELF)
        functional, result = found.functional, found.result
        right = found.error is not None and found.error.relative <= found.error.asked
        if not (result.converged or right):
            said = found.refusal()
            warnings.warn(said, ConvergenceWarning, stacklevel=3)
        network = trained_network(functional, result.theta)
        given = getattr(self, "feature_names_in_", names)
        self.network_: TrainedNetwork = replace(network, features=tuple(given), label="")
        self.objective_, self.n_iter_ = result.value, result.iterations
        return functional, result.theta

    def _validated(self, *arrays: Any, **options: Any) -> Any:
        """Return arrays that scikit-learn has checked, as its version does it.

        Raises:
            InputError: a column of a table has texts or dates.
        """
        table = arrays[0]
        for name in getattr(table, "columns", ()):
            column = np.asarray(table[name])
            if column.ndim == 1 and column.dtype.kind not in "biuf":
                to_numbers(column, partial(_place, name), None)
        if hasattr(validation, "validate_data"):
            return validation.validate_data(self, *arrays, **options)
        return self._validate_data(*arrays, **options)

    def _samples(self, samples: Any) -> Array:
        """Return samples for the trained network, (n, m), checked against those of ``fit``."""
        validation.check_is_fitted(self, "network_")
        return np.asarray(self._validated(samples, reset=False), dtype=float)

    def _carried(self, samples: Any) -> Array:
        """Return the points of samples at T, (n, m) -> (d, n)."""
        x = self._samples(samples)
        return self.network_.carry(self.network_.reduce(x))

    def _scores(self, X: Any) -> Array:  # noqa: N803
        """Return what the head makes of the points at T, (classes, n)."""
        x = self._carried(X)
        return self.network_.scores(x)
