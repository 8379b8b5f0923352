# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .case import Case as Case
from .case import load as load
from .case import parse as parse
from .case import without_none as without_none
from .clusters import at_clusters as at_clusters
from .completion import asked as asked
from .completion import resolve as resolve
from .defaults import TABLES as TABLES
from .grid import Member as Member
from .grid import axes_of as axes_of
from .grid import members_of as members_of
from .grid import value_text as value_text
from .population import Population as Population
from .population import from_samples as from_samples
from .population import populate as populate
from .sections import LevelSection as LevelSection
from .sections import TrainingSection as TrainingSection
