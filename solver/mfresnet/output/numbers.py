# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The numbers of a run in words: the table at its end, and its measures beside the baselines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mfresnet.output.run_json import RunReport
from mfresnet.output.run_metrics import Errors, Metrics, Quality


@dataclass(frozen=True)
class Measure:
    """A measure of the network on samples or densities, beside others.

    Attributes:
        name: what is measured.
        value: that of the network.
        others: name of a baseline or of a bound -> its value.
        better: 1 where more is better, -1 where less is, 0 where none can be better.
        form: how its values are written.
    """

    name: str
    value: float
    others: Mapping[str, float] = field(default_factory=dict)
    better: int = 1
    form: str = ".4f"

    def written(self, value: float) -> str:
        """Return one of its values as a text."""
        return f"{value:{self.form}}"

    def text(self) -> str:
        """Return the number, with those of the others behind it."""
        beside = ", ".join(f"{name} {self.written(value)}" for name, value in self.others.items())
        return self.written(self.value) + (f"  ({beside})" if beside else "")

    def best(self) -> float | None:
        """Return the best of all values, None where nothing is compared."""
        values = [self.better * value for value in (self.value, *self.others.values())]
        return max(values) * self.better if self.others and self.better else None


def summary(report: RunReport) -> list[tuple[str, str]]:
    """Return the rows of the table at the end of a run: name and value."""
    measured = [(measure.name, measure.text()) for measure in measures(report.metrics)]
    return [*of_training(report), *measured, *of_transport(report)]


def of_training(report: RunReport) -> list[tuple[str, str]]:
    """Return the rows on J and how it was found."""
    error = error_of(report)
    size = "" if error is None else f" +- {error:.1e}"
    rows = [
        ("objective", f"{report.objective.total:.8g}{size}"),
        ("loss", report.objective.loss_error.number),
        ("gradient norm", f"{report.gradient_norm:.2e}"),
        ("iterations", str(report.iterations)),
    ]
    if (bound := report.lower_bound) is not None:
        text = f"{bound.value:.8g}  ({bound.name}; the loss is {bound.gap:.2e} above it)"
        rows.append(("lower bound of the loss", text))
    errors = report.metrics.relative_l2_error
    return rows + [(f"L2 error, class {label}", f"{value:.2%}") for label, value in errors.items()]


def of_transport(report: RunReport) -> list[tuple[str, str]]:
    """Return the rows on the densities, and the time."""
    return [
        ("mass error", f"{report.mass_error:.1e}"),
        ("outflow", f"{report.outflow:.1e}"),
        ("least density", f"{report.min_density:.1e}"),
        ("seconds", f"{report.seconds:.1f}"),
    ]


def error_of(report: RunReport) -> float | None:
    """Return the error of J, None where it is not known."""
    asked = report.accuracy
    size = report.objective.loss_error.error if asked is None else asked.size
    return None if size is None else abs(size)


def with_error(value: float, error: float | None) -> str:
    """Return a number with its error, to the second digit of the error.

    >>> with_error(0.324342049, 7.7e-05), with_error(12.5, None)
    ('0.324342 +- 7.7e-05', '12.5')
    """
    if error is None or not math.isfinite(error) or not math.isfinite(value):
        return f"{value:.8g}"
    decimals = 8 if error == 0.0 else 1 - math.floor(math.log10(error))
    digits = f"{value:.{decimals}f}" if 0 <= decimals <= 12 else f"{value:.8g}"
    return f"{digits} +- {error:.1e}"


# ---------------------------------------------------------------------- on samples
def measures(metrics: Metrics) -> Iterator[Measure]:
    """Yield the measures of the network, beside the baselines on the same samples."""
    for part in ("train", "test"):
        ours = getattr(metrics, part)
        if (rows := metrics.log_likelihood) and (row := getattr(rows, part)) is not None:
            others = {"start density": row.start, "Gaussian mixture": row.gaussian_mixture,
                      "kernels": row.kernel}  # fmt: skip
            yield Measure(f"{part} log likelihood of the features", row.network, _known(others))
        if isinstance(ours, Errors):
            others = _others(metrics, ("linear_regression", "kernel_regression"), part, "r2")
            yield Measure(f"{part} R2", ours.r2, _known(others))
            if ours.coverage is not None:
                yield Measure(
                    f"{part} labels in the 90 % interval", ours.coverage, better=0, form=".1%"
                )
        elif ours is not None:
            yield from _of_classes(metrics, ours, part)
    if (bayes := metrics.bayes) is not None:
        bound, score = "Bayes bound", bayes.network
        title = "on the smoothed classes"
        yield Measure(f"accuracy {title}", score.accuracy, {bound: bayes.accuracy}, 0)
        if score.log_loss is not None:
            yield Measure(f"log loss {title}", score.log_loss, {bound: bayes.log_loss}, 0)


def _of_classes(metrics: Metrics, ours: Quality, part: str) -> Iterator[Measure]:
    """Yield the measures of a classification on a part of the samples."""
    for key, title, better in (
        ("accuracy", "accuracy", 1),
        ("log_loss", "log loss", -1),
        ("calibration_error", "calibration error", -1),
    ):
        value = getattr(ours, key)
        if value is not None:
            others = _others(metrics, ("logistic_regression", "kernel_density"), part, key)
            yield Measure(f"{part} {title}", value, _known(others), better)


def _others(
    metrics: Metrics, names: tuple[str, ...], part: str, key: str
) -> dict[str, float | None]:
    """Return name -> measure of the baselines."""
    rows = {name: getattr(getattr(metrics, name), part, None) for name in names}
    return {name.replace("_", " "): row and getattr(row, key) for name, row in rows.items()}


def _known(others: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in others.items() if value is not None}
