# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .bench import measure_speed as measure_speed
from .bench_table import speed_table as speed_table
from .crossval import cross_validate as cross_validate
from .crossval import split_sentence as split_sentence
from .crossval import split_table as split_table
from .estimators.classifier import MeanFieldClassifier as MeanFieldClassifier
from .estimators.density import MeanFieldDensity as MeanFieldDensity
from .estimators.regressor import MeanFieldRegressor as MeanFieldRegressor
from .runner import RunResult as RunResult
from .runner import run as run
from .studies.gallery import gallery_status as gallery_status
from .studies.gallery import gallery_verdict as gallery_verdict
from .studies.gallery import make_gallery as make_gallery
from .studies.sample_limit import sample_limit as sample_limit
from .studies.sample_limit import train_on_samples as train_on_samples
from .studies.study import Study as Study
from .studies.study import draw_slope as draw_slope
from .studies.study import main as main
from .studies.study import slope as slope
from .studies.wasserstein import Law as Law
from .studies.wasserstein import between as between
from .studies.wasserstein import by_assignment as by_assignment
from .studies.wasserstein import moved as moved
from .studies.wasserstein import of_density as of_density
from .studies.wasserstein import on_mesh as on_mesh
from .studies.wasserstein import to_samples as to_samples
