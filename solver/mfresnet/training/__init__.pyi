# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .estimate import ErrorPart as ErrorPart
from .estimate import ObjectiveError as ObjectiveError
from .levels import Stage as Stage
from .levels import train as train
from .of_case import train_case as train_case
from .result import Trained as Trained
