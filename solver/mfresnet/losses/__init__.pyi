# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .density import DensityLoss as DensityLoss
from .density import DensitySection as DensitySection
from .density import smooth_positive as smooth_positive
from .depth import DepthLoss as DepthLoss
from .depth import Visit as Visit
from .depth import depth_weights as depth_weights
from .loss import Parts as Parts
from .loss import Setting as Setting
from .point import PointLoss as PointLoss
from .point import Quadratic as Quadratic
from .table import LOSSES as LOSSES
from .table import Row as Row
from .table import loss_section as loss_section
