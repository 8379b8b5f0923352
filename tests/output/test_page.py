# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""report.html: all of a run on one page that needs nothing else, whatever the user calls things."""

from mpi4py import MPI

import dataclasses
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from helpers import make_data_case
from mfresnet.case.case import load
from mfresnet.errors import Exit
from mfresnet.optimise.result import Iteration
from mfresnet.output import page, progress
from mfresnet.output.captions import caption
from mfresnet.output.numbers import Measure, with_error
from mfresnet.output.page import PAGE, write_page
from mfresnet.output.run_json import Certificate, read_report
from mfresnet.output.verdict import doubts, verdict_sentence
from mfresnet.runs.runner import RunResult, run
from mfresnet.trained.loading import load_network
from mfresnet.verification.findings import Check

SHIFT = Path(__file__).parents[2] / "cases/shift_1d.toml"
HOSTILE = "<script>alert('x')</script> & \"</title>\""
ADDRESS = re.compile(r"(?:src|href)=\"([^\"]*)\"")


class Page(HTMLParser):
    """The tags and the text of a page; raises where tags do not close."""

    EMPTY = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.headings: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert all(not name.startswith("on") for name, _ in attrs)
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words += data.split()
        if self._open and self._open[-1] == "h2":
            self.headings.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Return a run with pictures, whose title, labels, features and paths are hostile."""
    folder = tmp_path_factory.mktemp("<b>run")
    case = make_data_case(folder, training={"max_iterations": 2})
    table = pd.read_csv(folder / "samples.csv")
    table = table.rename(columns={"width": "<i>width", "height": "<i>height"})
    table["answer"] = "<u>" + table["answer"]
    table.to_csv(folder / "samples.csv", index=False)
    changes = {"title": HOSTILE, "output": {"pictures": True}}
    return run(case.with_(changes), folder / "out", comm=MPI.COMM_SELF)


def test_page_is_whole_and_needs_nothing_else(result: RunResult) -> None:
    text = (result.directory / PAGE).read_text()
    found = Page(text)
    assert found.headings == [
        "Numbers",
        "What was asked",
        "Pictures",
        "History",
        "Certificate",
        "What to look at",
        "To repeat it",
    ]
    addresses = ADDRESS.findall(text)
    assert all(a.startswith(("data:image/", "#")) for a in addresses)
    pictures = list((result.directory / "pictures").iterdir())
    assert len([a for a in addresses if a.startswith("data:")]) == len(pictures) > 4
    assert "url(" not in text and "http" not in text
    assert len(text) < 2e6
    # in this order: verdict, the first picture, the numbers beside those of the baselines
    places = [
        text.index(part) for part in ("Not converged:", 'id="density"', "logistic regression")
    ]
    assert places == sorted(places)
    assert f"{result.report.metrics.test_accuracy:.4f}" in found.text
    assert "layers = " in found.text and "mfresnet verify" in found.text
    assert f"mfresnet {result.report.versions['mfresnet']}" in found.text


def test_what_the_user_wrote_is_text(result: RunResult) -> None:
    found = Page((result.directory / PAGE).read_text())
    assert not {"script", "i", "u"} & set(found.tags)
    assert found.tags.count("title") == 1
    assert HOSTILE in found.text and "<u>" in found.text and "<i>" in found.text
    cards = (result._repr_html_(), load_network(result.directory)._repr_html_())
    for card in cards:
        assert not {"script", "i", "u"} & set(Page(card).tags)
    assert "Not converged" in cards[0] and "data:image/png" in cards[0]
    assert "&lt;i&gt;" in cards[1] and "parameters" in cards[1]


def test_certificate_warnings_and_missing_pictures(result: RunResult, tmp_path: Path) -> None:
    """The page is made again from what is in the directory."""
    directory = tmp_path / "run"
    shutil.copytree(result.directory, directory)
    shutil.rmtree(directory / "pictures")
    report = read_report(directory)
    checks = [
        Check("mass balance", 1e-15, 1e-11, True),
        Check("outflow", 0.5, 1e-4, False, "Mass leaves the mesh. Enlarge it."),
    ]
    certificate = Certificate(passed=False, checks=checks)
    report = report.with_(certificate=certificate, warnings=["data.bandwidth: <too> small."])
    report.write(directory)
    found = Page(write_page(directory).read_text())
    assert "Pictures" not in found.headings
    assert "passed mass balance 10⁻¹⁵ at most 10⁻¹¹" in found.text
    assert "failed outflow Mass leaves the mesh. Enlarge it. 0.5 at most 0.0001" in found.text
    assert "warning data.bandwidth: <too> small." in found.text
    weights = [doubt.weight for doubt in doubts(report)]
    assert weights[:3] == ["bad", "bad", "warning"]


def test_page_that_cannot_be_made_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run counts, and a resume makes the page."""
    case = load(SHIFT, ["output.fields=false", "output.pictures=false"])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(page, "write_text", full)
        first = run(case, tmp_path / "run", comm=MPI.COMM_SELF)
    assert first.exit is Exit.CONVERGED and not (tmp_path / "run" / PAGE).exists()
    (warning,) = first.report.warnings
    assert warning.startswith("report.html: cannot be written; got '[Errno 28]")
    assert read_report(tmp_path / "run").warnings == [warning]
    again = run(case, tmp_path / "run", comm=MPI.COMM_SELF, resume=True)
    assert again.report.warnings == [] and (tmp_path / "run" / PAGE).exists()
    assert "Nothing is doubtful." in Page((tmp_path / "run" / PAGE).read_text()).text
    assert verdict_sentence(again.report).startswith("Converged: J = ")


def test_numbers_in_words() -> None:
    assert with_error(-1234.5678, 0.25) == "-1234.57 +- 2.5e-01"
    assert with_error(1.0, float("nan")) == "1"
    measure = Measure("log loss", 0.5, {"a": 0.25, "b": 0.75}, better=-1)
    assert measure.text() == "0.5000  (a 0.2500, b 0.7500)" and measure.best() == 0.25
    assert Measure("accuracy", 0.5, {"bound": 0.75}, better=0).best() is None


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_captions_are_sentences(dimension: int, result: RunResult) -> None:
    for path in (result.directory / "pictures").glob("*.png"):
        text = caption(path.stem, dimension)
        assert (text.endswith(".") and " " in text) or (path.stem, dimension) == ("velocity", 3)


# ---------------------------------------------------------------- progress
ROW = Iteration(0, 1.0, 0.5, 1, 1, 0, 0.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    yield now


def test_log_of_a_long_run_is_short(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """A day with ten iterations a second: some hundred lines, the first and the last among them."""
    n = 864_000
    with progress.Progress(0) as shown:
        for i in range(0, n, 5):
            clock[0] = i / 10
            shown.iteration(dataclasses.replace(ROW, iteration=i))
    lines = capsys.readouterr().err.splitlines()
    assert 100 < len(lines) < 600
    numbers = [int(re.findall(r"iteration +(\d+)", line)[0]) for line in lines]
    assert numbers[0] == 0 and numbers[-1] == n - 5
    assert max(b - a for a, b in zip(numbers, numbers[1:], strict=False)) <= 3010
