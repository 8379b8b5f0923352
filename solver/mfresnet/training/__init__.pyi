# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .accuracy import Trained as Trained
from .accuracy import train_case as train_case
from .estimate import ObjectiveError as ObjectiveError
from .estimate import objective_error as objective_error
from .levels import Stage as Stage
from .levels import train as train
