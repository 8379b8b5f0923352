# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Minimisation by PETSc TAO, in the inner product of L2(0, T).

TAO works on z = sqrt(weights) theta, so that its Euclidean inner product is that of L2(0, T). All
controls live on rank 0 of the vectors: then the iterates do not depend on the number of ranks.
"""

from __future__ import annotations

from petsc4py import PETSc

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from mfresnet.arrays import Array
from mfresnet.errors import InputError
from mfresnet.optimise.curvature import PAIRS
from mfresnet.optimise.result import OptimiseResult, Status
from mfresnet.optimise.search import Method, Search
from mfresnet.parallel import together

LOWEST = 1e200
"""Minus this, with a zero gradient, is what TAO gets when it has to stop."""


def run_tao(search: Search) -> OptimiseResult:
    """Run TAO from the best iterate of a search. Options ``-tao_...`` of PETSc apply.

    Raises:
        InputError: a type of TAO that is unknown or does not keep the bounds.
        StepsError: more time steps are needed.
        SolveError: J cannot be computed at the start.

    Parallel: collective.
    """
    with _defaults(DEFAULTS | (RECYCLED if search.recycled else {})):
        if search.recycled:
            if search.memory.optimiser is None:
                search.memory.optimiser = _Driver(search)
            return search.memory.optimiser.solve(search)
        driver = _Driver(search)
        try:
            return driver.solve(search)
        finally:
            driver.destroy()


DEFAULTS = {f"tao_{name}_init_type": "constant" for name in ("ntr", "ntl", "nls", "bnk")} | {
    "vec_mdot_use_gemv": "false"
}
"""Options that are set unless the user does: TAO's own first radius comes from far trial points;
several dot products at once are rounded in a way that depends on where the vectors lie in memory.
"""
RECYCLED = {
    f"tao_{name}_{option}": value
    for name in ("lmvm", "blmvm")
    for option, value in (("recycle", "true"), ("mat_lmvm_hist_size", str(PAIRS)))
}
"""Options where one minimisation goes on with the pairs of the one before."""


@contextmanager
def _defaults(defaults: dict[str, str]) -> Iterator[None]:
    """Put the defaults into PETSc's database and take them out again."""
    database = PETSc.Options()
    missing = {k: v for k, v in defaults.items() if not database.hasName(k)}
    for name, value in missing.items():
        database.setValue(name, value)
    try:
        yield
    finally:
        for name in missing:
            database.delValue(name)


class _Driver:
    """TAO with its vectors, and the callbacks.

    No exception leaves a callback: PETSc runs code between the place where Python's error is set
    and the place where it is read, and a garbage collection there ends in a crash. So every rank
    has to know of an error of any: one that went on alone would wait in TAO for ever.
    """

    def __init__(self, search: Search) -> None:
        self.search, self.comm = search, search.functional.comm
        n = search.functional.controls.size
        self.scale = np.sqrt(search.functional.controls.weights)
        self.error: BaseException | None = None
        own = n if self.comm.rank == 0 else 0
        self.z = PETSc.Vec().createMPI((own, n), comm=self.comm)
        self.gradient = self.z.duplicate()
        self.tao = PETSc.TAO().create(self.comm)
        self.shell = _Shell(self)
        sizes = ((own, n), (own, n))
        self.hessian = PETSc.Mat().createPython(sizes, self.shell, comm=self.comm)
        self.tao.setType(search.functional.training.method)
        self.tao.setObjectiveGradient(self._objective_gradient, self.gradient)
        self.tao.setHessian(self._hessian, self.hessian)
        self.tao.setMonitor(self._monitor)
        self.owned = [self.z, self.gradient, self.hessian]
        if search.bounded:
            self._set_bounds()

    def destroy(self) -> None:
        """Give back what PETSc holds, on all ranks in the same order."""
        self.tao.destroy()
        for thing in self.owned:
            thing.destroy()

    def solve(self, search: Search) -> OptimiseResult:
        """Run TAO from the best iterate of a search."""
        self.search, self.error, tao = search, None, self.tao
        training = search.functional.training
        tao.setTolerances(gatol=training.gradient_tolerance, grtol=0.0, gttol=0.0)
        tao.setInitialTrustRegionRadius(1.0)
        tao.setMaximumIterations(training.max_iterations - search.offset)
        self._put(self.z, search.theta * self.scale)
        tao.setSolution(self.z)
        try:
            tao.setFromOptions()
            self._check_type()
            tao.solve()
        except PETSc.Error as error:
            if self.error is None:
                name = PETSc.Options().getString("tao_type", tao.getType())
                cause = str(error).splitlines()[-1].partition("] ")[2]
                raise InputError(
                    f"-tao_type: refused by PETSc; got {name} ({cause}), expected one of "
                    f"{', '.join(TYPES)}. Choose one."
                ) from None
        if self.error is not None:
            raise self.error
        theta = self._get(self.z) / self.scale
        _, value, norm, *_ = tao.getSolutionStatus()
        return search.result(theta, value, norm, self._status())

    def _set_bounds(self) -> None:
        bounds = []
        for value in (self.search.lower, self.search.upper):
            bound = self.z.duplicate()
            self._put(bound, value * self.scale)
            bounds.append(bound)
        self.owned += bounds
        self.tao.setVariableBounds(*bounds)

    def _check_type(self) -> None:
        name = self.tao.getType()
        method = TYPES.get(name)
        if self.search.bounded and (method is None or not method.bounds):
            names = ", ".join(n for n, m in TYPES.items() if m.bounds)
            raise InputError(
                f"-tao_type: cannot keep training.lower and training.upper; got {name}, expected "
                f"one of {names}. Choose one."
            )

    # ------------------------------------------------------------------ vectors on rank 0
    def _put(self, vector: PETSc.Vec, values: Array) -> None:
        # On every rank, also with no entries: PETSc keeps norms until a vector is touched, and a
        # rank that still has one would miss the reduction of the others.
        vector.setArray(values[: vector.local_size])

    def _get(self, vector: PETSc.Vec) -> Array:
        values = np.empty(vector.size)
        if self.comm.rank == 0:
            values[:] = vector.array_r
        self.comm.Bcast(values, root=0)
        return values

    # ------------------------------------------------------------------ callbacks
    def _objective_gradient(self, tao: PETSc.TAO, z: PETSc.Vec, gradient: PETSc.Vec) -> float:
        if self.error is None:
            try:
                answer = self.search.evaluate(self._get(z) / self.scale)
            except BaseException as error:
                self._end(error)
            else:
                if answer is None:
                    # A large finite J, from which the line search steps back.
                    gradient.zeroEntries()
                    return 1e6 * (1.0 + abs(self.search.best))
                self._put(gradient, answer[1] / self.scale)
                return answer[0]
        # A J at which every TAO type stops; the error is raised by ``solve``.
        tao.setConvergedReason(PETSc.TAO.ConvergedReason.DIVERGED_USER)
        gradient.zeroEntries()
        return -LOWEST

    def _hessian(self, tao: PETSc.TAO, z: PETSc.Vec, *matrices: PETSc.Mat) -> None:
        """Remember where the Hessian is asked for."""
        self._at, self.shell.amount = self._get(z) / self.scale, 0.0

    def apply_hessian(self, x: PETSc.Vec, y: PETSc.Vec, shift: float) -> None:
        """Set y to (J'' + shift) x; to x after an error."""
        h = self._get(x)
        if self.error is None:
            try:
                oracle, functional = self.search.oracle, self.search.functional
                with together(self.comm):
                    action = oracle.hessian_action(functional, self._at, h / self.scale)
            except BaseException as error:
                self._end(error)
            else:
                self._put(y, action / self.scale + shift * h)
                return
        self._put(y, h)

    def _monitor(self, tao: PETSc.TAO) -> None:
        if self.error is not None:
            return
        iteration, value, norm, *_ = tao.getSolutionStatus()
        try:
            with together(self.comm):
                self.search.record(iteration, value, norm)
        except BaseException as error:
            self._end(error)
        if self.error is not None:
            tao.setConvergedReason(PETSc.TAO.ConvergedReason.DIVERGED_USER)
        elif self.search.over is not None:
            tao.setConvergedReason(PETSc.TAO.ConvergedReason.CONVERGED_USER)

    def _end(self, error: BaseException) -> None:
        """Keep an error that ``solve`` raises."""
        self.error = error

    def _status(self) -> Status:
        reason, reasons = self.tao.getConvergedReason(), PETSc.TAO.ConvergedReason
        if reason == reasons.CONVERGED_GATOL:
            return Status.CONVERGED
        if (over := self.search.over) is not None:
            return over
        if reason in (reasons.DIVERGED_MAXITS, reasons.DIVERGED_MAXFCN):
            return Status.ITERATIONS
        if reason in (reasons.DIVERGED_LS_FAILURE, reasons.DIVERGED_TR_REDUCTION):
            return Status.LINE_SEARCH
        return Status.OTHER_TEST if reason > 0 else Status.DIVERGED


class _Shell:
    """The Hessian as PETSc's matrix of type python asks for it.

    Attributes:
        amount: multiple of the identity that TAO has added to an indefinite Hessian.
    """

    def __init__(self, driver: _Driver) -> None:
        self.driver, self.amount = driver, 0.0

    def mult(self, matrix: PETSc.Mat, x: PETSc.Vec, y: PETSc.Vec) -> None:
        self.driver.apply_hessian(x, y, self.amount)

    def shift(self, matrix: PETSc.Mat, amount: float) -> None:
        self.amount += amount


TYPES: dict[str, Method] = {
    "lmvm": Method(run_tao, bounded_twin="blmvm"),
    "blmvm": Method(run_tao, bounds=True),
    "cg": Method(run_tao),
    "bncg": Method(run_tao, bounds=True),
    "bqnls": Method(run_tao, bounds=True),
    "bqnktr": Method(run_tao, bounds=True),
    "bqnktl": Method(run_tao, bounds=True),
    "nm": Method(run_tao),
    "nls": Method(run_tao, hessian=True),
    "ntr": Method(run_tao, hessian=True),
    "ntl": Method(run_tao, hessian=True),
    "bnls": Method(run_tao, bounds=True, hessian=True),
    "bntr": Method(run_tao, bounds=True, hessian=True),
    "bntl": Method(run_tao, bounds=True, hessian=True),
}
"""The types of TAO, by PETSc's names."""
