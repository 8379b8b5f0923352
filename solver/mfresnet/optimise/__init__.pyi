# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .curvature import Memory as Memory
from .log import EvaluationLog as EvaluationLog
from .methods import METHODS as METHODS
from .optimiser import minimise as minimise
from .result import Functional as Functional
from .result import Iteration as Iteration
from .result import OptimiseResult as OptimiseResult
from .result import Status as Status
from .search import Oracle as Oracle
from .search import Search as Search
from .tao import TYPES as TYPES
