# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a notebook shows of an estimator: scikit-learn's diagram, and below it what was found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mfresnet.pages import card
from mfresnet.trained import in_words

FOUND = {
    "bayes_accuracy_": "Bayes bound of the accuracy",
    "accuracy_gap_": "accuracy below it",
    "bayes_log_loss_": "Bayes bound of the log loss",
    "log_loss_gap_": "log loss above it",
}
"""Attribute of a trained estimator -> what it is."""


class Shown:
    """Adds a card to the diagram of scikit-learn once the estimator is trained.

    Where scikit-learn is asked for texts alone there is none; a pipeline has its own diagram.
    """

    @property
    def _repr_html_(self) -> Callable[[], str]:
        theirs: Callable[[], str] = super()._repr_html_  # type: ignore[misc]
        return lambda: theirs() + self._card()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**options)  # type: ignore[misc]
        if "text/html" in bundle:
            bundle["text/html"] += self._card()
        return bundle

    def _card(self) -> str:
        """Return the card; nothing before ``fit``."""
        network = getattr(self, "network_", None)
        if network is None:
            return ""
        j, iterations = getattr(self, "objective_", float("nan")), getattr(self, "n_iter_", 0)
        found = [(what, getattr(self, name, None)) for name, what in FOUND.items()]
        numbers = [(what, f"{value:.4f}") for what, value in found if value is not None]
        sentence = f"Trained: J = {j:.6g} after {iterations} iterations."
        return card(type(self).__name__, sentence, [*numbers, *in_words(network)])
