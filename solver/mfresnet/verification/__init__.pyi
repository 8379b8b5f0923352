# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .accuracy import LossError as LossError
from .accuracy import Way as Way
from .accuracy import another as another
from .accuracy import by_points as by_points
from .accuracy import compared as compared
from .accuracy import loss_error as loss_error
from .advice import damping as damping
from .advice import drift as drift
from .advice import notes as notes
from .advice import undershoots as undershoots
from .advice import warnings as warnings
from .bounds.table import LowerBound as LowerBound
from .bounds.table import lower_bound as lower_bound
from .certificate import certify as certify
from .findings import Check as Check
from .findings import as_data as as_data
from .findings import at_least as at_least
from .findings import at_most as at_most
from .findings import check_table as check_table
from .findings import near as near
from .findings import passed as passed
from .measures.regression import predicted as predicted
from .measures.table import measure as measure
from .pathwise import pathwise_loss as pathwise_loss
