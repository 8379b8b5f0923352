# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""What a notebook shows: estimators below scikit-learn's diagrams, and one line of progress."""

import dataclasses
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from mfresnet.optimise.result import Iteration
from mfresnet.output.progress import Detail, Progress
from mfresnet.runs.estimators.classifier import MeanFieldClassifier

CARD = "mfresnet-card"
ROW = Iteration(0, 1.0, 0.5, 1, 1, 0, 0.0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_show_the_diagram_and_what_was_found() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = rng.standard_normal((40, 1)) + 2.0 * y[:, None]
    model = MeanFieldClassifier(layers=2, cells=16, max_iterations=2)
    assert CARD not in model._repr_html_() and "MeanFieldClassifier" in model._repr_html_()
    labels = np.array(["<b>no", "yes"])[y]
    model.fit(x, labels)
    bundle = model._repr_mimebundle_()
    for shown in (model._repr_html_(), bundle["text/html"]):
        assert shown.count(f'class="{CARD}"') == 1 and "sk-container" in shown
        assert "&lt;b&gt;no" in shown and "<b>no" not in shown
        assert f"{model.bayes_accuracy_:.4f}" in shown and "after 2 iterations" in shown
    assert bundle["text/plain"] == repr(model)
    pipeline = make_pipeline(StandardScaler(), model)
    assert "MeanFieldClassifier" in pipeline._repr_html_() and CARD not in pipeline._repr_html_()
    assert "MeanFieldClassifier" in estimator_html_repr(pipeline)
    with sklearn.config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert list(model._repr_mimebundle_()) == ["text/plain"]


@pytest.mark.parametrize("detail", Detail)
def test_progress_in_a_notebook_is_one_line(
    detail: Detail, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It replaces itself, without widgets; texts go to stdout, as stderr is red there."""
    shown: list[str] = []
    handle = SimpleNamespace(update=shown.append)

    def display(text: str, display_id: bool) -> SimpleNamespace:
        assert display_id and not shown
        shown.append(text)
        return handle

    module, inner = ModuleType("IPython"), ModuleType("IPython.display")
    module.__dict__["get_ipython"] = lambda: SimpleNamespace(kernel=True)
    inner.__dict__.update(HTML=str, display=display)
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", inner)
    progress = Progress(0, detail)
    progress.say("Begin.")
    with progress:
        for i in range(3):
            progress.iteration(dataclasses.replace(ROW, iteration=i))
    with progress.doing("Pictures <here>"):
        pass
    said = capsys.readouterr()
    assert said.err == ""
    if detail == Detail.QUIET:
        assert shown == [] and said.out == ""
        return
    assert said.out.startswith("Begin.\n")
    assert "Pictures &lt;here&gt;" in shown[-2]
    if detail == Detail.NORMAL:
        assert len(shown) == 5 and "iteration    2" in shown[2] and shown[-1] == shown[2]
    else:
        assert said.out.count("iteration ") == 3
