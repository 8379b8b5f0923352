# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .costs.fit import measure_machine as measure_machine
from .costs.machine import Machine as Machine
from .costs.machine import load_machine as load_machine
from .costs.machine import save_machine as save_machine
from .costs.prediction import Prediction as Prediction
from .costs.prediction import predict as predict
from .costs.prediction import worth_it as worth_it
from .costs.scaling import Scaling as Scaling
from .costs.scaling import measure_scaling as measure_scaling
from .costs.timing import STEPS as STEPS
from .costs.timing import bench_case as bench_case
from .costs.timing import iteration_seconds as iteration_seconds
from .costs.timing import seconds_each as seconds_each
from .costs.timing import some_stages as some_stages
from .costs.timing import whole_sweeps as whole_sweeps
from .costs.triad import Triad as Triad
from .costs.work import Work as Work
from .estimate import ErrorPart as ErrorPart
from .estimate import ObjectiveError as ObjectiveError
from .levels import Stage as Stage
from .levels import train as train
from .of_case import train_case as train_case
from .result import Trained as Trained
