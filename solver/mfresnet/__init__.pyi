# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .case import Case as Case
from .case import load as load
from .errors import InputError as InputError
from .errors import SolveError as SolveError
from .functional import ParticleFunctional as ParticleFunctional
from .functional import ReducedFunctional as ReducedFunctional
from .functional import Trajectory as Trajectory
from .functional import mean_field as mean_field
from .network import Controls as Controls
from .network import affine_control as affine_control
from .network import as_initial as as_initial
from .network import gaussian_control as gaussian_control
from .network import mean_control as mean_control
from .network import mean_steering as mean_steering
from .network import polar_control as polar_control
from .optimise import OptimiseResult as OptimiseResult
from .optimise import minimise as minimise
from .output import read_fields as read_fields
from .pictures import plot_densities as plot_densities
from .runs import MeanFieldClassifier as MeanFieldClassifier
from .runs import MeanFieldDensity as MeanFieldDensity
from .runs import MeanFieldRegressor as MeanFieldRegressor
from .runs import RunResult as RunResult
from .runs import run as run
from .runs import study as study
from .trained import TrainedNetwork as TrainedNetwork
from .trained import load_network as load_network

__version__: str
