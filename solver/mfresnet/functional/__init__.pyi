# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .densities import ReducedFunctional as ReducedFunctional
from .draw import drawn as drawn
from .handover import steered as steered
from .handover import trained_network as trained_network
from .nodes import quadrature as quadrature
from .nodes import smoothed as smoothed
from .problem import Problem as Problem
from .samples import ParticleFunctional as ParticleFunctional
from .sweeps.balance import Balance as Balance
from .sweeps.layer import Layer as Layer
from .sweeps.reversal import States as States
from .trajectory import Trajectory as Trajectory
from .trajectory import mean_field as mean_field
