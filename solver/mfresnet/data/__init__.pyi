# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .deposition import bandwidth as bandwidth
from .deposition import deposit as deposit
from .laws.closed_forms import Covariance as Covariance
from .laws.closed_forms import Gaussian as Gaussian
from .laws.closed_forms import UniformBox as UniformBox
from .laws.density import SMOOTH_DEGREE as SMOOTH_DEGREE
from .laws.density import SUBDIVISIONS as SUBDIVISIONS
from .laws.density import Density as Density
from .laws.density import boxed as boxed
from .laws.density import project as project
from .laws.kind import DensityKind as DensityKind
from .section import DataSection as DataSection
from .tables.dataset import Dataset as Dataset
from .tables.dataset import Samples as Samples
from .tables.dataset import load_data as load_data
from .tables.formats import ArrayTable as ArrayTable
from .tables.formats import Table as Table
from .tables.scaling import LARGEST_DIMENSION as LARGEST_DIMENSION
from .tables.splits import FEWEST as FEWEST
from .tables.survey import open_together as open_together
from .tables.values import to_names as to_names
from .tables.values import to_numbers as to_numbers
