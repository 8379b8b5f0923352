# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .exporters import export as export
from .loading import NETWORK as NETWORK
from .loading import load_network as load_network
from .loading import save_network as save_network
from .network import TrainedNetwork as TrainedNetwork
from .prediction import predict as predict
from .sampling import SteeredDensity as SteeredDensity
from .sampling import load_steered as load_steered
from .sampling import log_density as log_density
from .sampling import log_density_at as log_density_at
from .sampling import log_volume as log_volume
from .sampling import sample as sample
from .sampling import steered_by as steered_by
from .words import in_words as in_words
from .writers import write_columns as write_columns
