# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .fused.elementary import Triad as Triad
from .fused.elementary import vectorised as vectorised
from .fused.transport import FusedTransport as FusedTransport
from .operator.coefficients import Coefficients as Coefficients
from .operator.fluxes import FLUXES as FLUXES
from .operators import OPERATORS as OPERATORS
from .operator.transport import Transport as Transport
from .operator.weakform import weak_form as weak_form
from .steps.cfl import largest as largest
from .steps.cfl import steps_needed as steps_needed
from .steps.layer import Layer as Layer
from .steps.limiter import LIMITERS as LIMITERS
from .steps.make import make_march as make_march
from .steps.make import make_step as make_step
from .steps.march import March as March
from .steps.march import Steps as Steps
from .steps.step import Adjoint as Adjoint
from .steps.step import Stages as Stages
from .steps.step import Step as Step
from .sweeps.balance import Balance as Balance
from .sweeps.balance import balance as balance
from .sweeps.plan import Plan as Plan
from .sweeps.plan import choose as choose
from .sweeps.reversal import States as States
from .sweeps.sweep import Sweep as Sweep
from .sweeps.tangent import Tangent as Tangent
