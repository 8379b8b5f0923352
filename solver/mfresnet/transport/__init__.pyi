# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .fused.transport import FusedTransport as FusedTransport
from .operator.coefficients import Coefficients as Coefficients
from .operator.fluxes import FLUXES as FLUXES
from .operator.transport import Transport as Transport
from .operator.weakform import weak_form as weak_form
from .operators import OPERATORS as OPERATORS
from .steps.cfl import check_steps as check_steps
from .steps.cfl import largest as largest
from .steps.cfl import steps_needed as steps_needed
from .steps.limiter import LIMITERS as LIMITERS
from .steps.make import make_march as make_march
from .steps.march import March as March
from .steps.march import Steps as Steps
from .steps.step import Adjoint as Adjoint
