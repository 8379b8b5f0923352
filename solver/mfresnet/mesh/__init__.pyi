# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .boxes import CELLS as CELLS
from .boxes import box as box
from .facets import Facets as Facets
from .facets import facet_rule as facet_rule
from .facets import find_facets as find_facets
from .facets import reference_points as reference_points
from .forms import create_form as create_form
from .heat import HeatEquation as HeatEquation
from .kernel import kernel_rule as kernel_rule
from .kinds import MESHES as MESHES
from .kinds import MeshSection as MeshSection
from .kinds import mesh_section as mesh_section
from .layout import Layout as Layout
from .layout import aligned as aligned
from .locate import Locator as Locator
from .quadrature import CellQuadrature as CellQuadrature
from .space import SIMPLICES as SIMPLICES
from .space import Space as Space
from .tables import header as header
from .tables import inverse_mass as inverse_mass
