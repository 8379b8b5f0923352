# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
from .axes import plot_densities as plot_densities
from .figures import draw as draw
from .language import key as key
from .language import log_ticks as log_ticks
from .palette import COLOURS as COLOURS
from .palette import light as light
from .palette import style as style
from .raster import Raster as Raster
from .study import draw_study as draw_study
from .window import show_window as show_window
