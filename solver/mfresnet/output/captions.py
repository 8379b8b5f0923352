# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What one sees in the pictures of a run, one sentence each."""

from __future__ import annotations

FILM = "The same over depth, from the input to the output."
DENSITY = {
    1: (
        "Left the sets that hold 25, 50, 75 and 95 % of the mass of each class over depth, with "
        "paths of samples; right the densities at the input, dotted, and at the output, solid."
    ),
    2: (
        "The network in one row: filled are the sets that hold 25, 50, 75 and 95 % of the mass of "
        "each class, thin lines are a grid that the network deforms, and dots are samples with the "
        "last part of their paths."
    ),
    3: (
        "The surfaces around the sets that hold 50, 75 and 95 % of the mass of each class, at the "
        "input, half way and at the output."
    ),
}
"""Dimension -> what the picture ``density`` shows."""
VELOCITY = {
    1: (
        "The velocity over place and depth: red moves to the right, blue to the left, white stays."
    ),
    2: (
        "Stream lines of the velocity over the sets of mass, in the first, the middle and the last "
        "layer: the darker a line, the faster it is passed."
    ),
}
"""Dimension -> what the picture ``velocity`` shows."""
CAPTIONS = {
    "decision": (
        "The regions of the classes at the input, with samples; a ring marks those that are "
        "misclassified."
    ),
    "prediction": (
        "Predictions of the network on the samples; on the grey line they are the labels."
    ),
    "samples": (
        "The training samples with their density, beside new ones that the network has drawn, "
        "with the density of the network."
    ),
    "paths": (
        "The paths of training samples through the network, from a small mark at the input to a "
        "large one at the output."
    ),
    "controls": (
        "The trained parameters, an entry a row and a layer a column: red is positive, blue is "
        "negative, and white is zero."
    ),
    "history": (
        "Left how far J is above its end over the iterations, with its error and the room that its "
        "lower bound leaves; right the norm of its gradient, with the tolerance. Dotted lines are "
        "where a training goes to another mesh."
    ),
}
"""Name of a picture -> what it shows, in the order of the page."""
ORDER = ("decision", "prediction", "samples", "paths", "velocity", "controls", "history")


def caption(name: str, dimension: int) -> str:
    """Return what one sees in a picture of a run, in ``dimension`` coordinates."""
    of_dimension = {"density": DENSITY, "velocity": VELOCITY}.get(name, {})
    return of_dimension.get(dimension) or CAPTIONS.get(name, name)
