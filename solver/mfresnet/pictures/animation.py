# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Animations over depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from mfresnet.interrupt import leave_if_asked

PER_SECOND, HOLD = 11, 1200
"""Frames a second, and milliseconds that the last one stays."""
QUALITY, EFFORT = 80, 0
"""Of the compression; more effort takes longer for little."""


def film(
    figure: Figure, times: Sequence[float], draw: Callable[[int], list[Any]], path: Path
) -> None:
    """Write an animated WebP; only what moves is drawn again for each frame.

    Args:
        figure: what stays, with one panel.
        times: depths of the frames.
        draw: adds what moves in a frame, by its number, to the panel, and returns it.
        path: the file (.webp).
    """
    canvas, axes, frames = FigureCanvasAgg(figure), figure.axes[0], []
    axes.set_title(" ")
    canvas.draw()
    figure.set_layout_engine("none")
    background = canvas.copy_from_bbox(figure.bbox)
    renderer = canvas.get_renderer()
    for number, t in enumerate(times):
        leave_if_asked()
        canvas.restore_region(background)
        artists = draw(number)
        axes.set_title(f"depth t = {t:.2f}")
        for artist in sorted([*artists, axes.title, *axes.lines], key=lambda a: a.get_zorder()):
            artist.draw(renderer)
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
        for artist in artists:
            artist.remove()
    stays = [round(1000 / PER_SECOND)] * (len(frames) - 1) + [HOLD]
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=stays, loop=0,
        quality=QUALITY, method=EFFORT,
    )  # fmt: skip
