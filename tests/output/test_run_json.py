# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""run.json has a model: what is written is read again to the last bit, its schema is in docs/."""

from mpi4py import MPI

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import make_case, make_data_case
from mfresnet.errors import InputError
from mfresnet.files import check_digests, write_report
from mfresnet.output.run_json import REPORT, RunReport, read_report
from mfresnet.runs.runner import run

ROOT = Path(__file__).parents[2]
KEYS = """schema case status message versions ranks dofs layers steps_per_layer objective
initial_objective gradient_norm iterations forward_sweeps adjoint_sweeps hessian_actions mass_error
initial_mass_error outflow min_density damping drift warnings notes metrics data memory certificate
seconds lower_bound files""".split()
DAMAGES = {
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "a list": lambda text: "[1, 2]",
    "nested": lambda text: "[" * 100_000,
    "another number": lambda text: text.replace('"schema": 1', '"schema": 2'),
    "a text for a number": lambda text: text.replace('"ranks": 1', '"ranks": "1"'),
    "null for a section": lambda text: text.replace('"metrics": {', '"metrics": null, "a": {'),
    "a list for a section": lambda text: text.replace('"objective": {', '"objective": [], "b": {'),
    "a key too many": lambda text: text.replace('"ranks": 1', '"ranks": 1, "rank": 1'),
    "a key too few": lambda text: text.replace('"dofs"', '"dof"'),
}  # fmt: skip


def sealed(content: str) -> str:
    """Return a text with the digest that fits."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    return f'{content},\n  "digest": "{digest}"\n}}\n'


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a run on samples over two levels."""
    folder = tmp_path_factory.mktemp("run")
    levels = [{"cells": [10, 10], "layers": 2}]
    case = make_data_case(folder, training={"max_iterations": 1, "levels": levels})
    return run(case, folder / "out", comm=MPI.COMM_SELF).directory


def test_what_is_written_is_read_again(directory: Path, tmp_path: Path) -> None:
    """Bit for bit; and a report of one minimisation has no stages."""
    report, text = read_report(directory), (directory / REPORT).read_bytes()
    report.write(tmp_path)
    assert (tmp_path / REPORT).read_bytes() == text
    data = json.loads(text)
    assert list(data) == [*KEYS[:-2], "stages", *KEYS[-2:], "digest"]
    assert (
        list(data["metrics"])
        == (
            "train_accuracy test_accuracy runge_kutta euler logistic_regression kernel_density "
            "bayes means train test"
        ).split()
    )
    assert [len(data["stages"]), data["schema"], data["certificate"]] == [2, 1, None]
    assert report.metrics.test_accuracy == data["metrics"]["test"]["accuracy"]
    one = run(make_case("interval", training={"max_iterations": 1}), tmp_path / "one").report
    assert list(one.to_data()) == KEYS


def test_numbers_that_are_none(directory: Path, tmp_path: Path) -> None:
    """What is infinite or no number stays so."""
    odd = {"total": float("inf"), "loss": float("nan"), "penalty": 0.1 + 0.2}
    data: dict[str, Any] = json.loads((directory / REPORT).read_text())
    data["objective"] |= odd
    data["files"] = {}
    del data["digest"]
    write_report(tmp_path, data)
    text = (tmp_path / REPORT).read_text()
    read_report(tmp_path).write(tmp_path)
    assert (tmp_path / REPORT).read_text() == text and "Infinity" in text and "NaN" in text


def test_no_byte_can_change(directory: Path, tmp_path: Path) -> None:
    """A number that is another one is still JSON; what is read is what was written, or nothing."""
    data = (directory / REPORT).read_bytes()
    rng = np.random.default_rng(0)
    for place in (*rng.integers(len(data), size=200), len(data) - 1, len(data) - 2):
        byte = bytes([data[place] ^ int(rng.integers(1, 128))])
        (tmp_path / REPORT).write_bytes(data[:place] + byte + data[place + 1 :])
        with pytest.raises(InputError, match=r"run\.json: cannot be read"):
            read_report(tmp_path)
        with pytest.raises(InputError, match=r"run\.json: cannot be read"):
            check_digests(tmp_path, "network.npz")


@pytest.mark.parametrize("content", ["[]", '{"files": 1}', "[" * 100_000])
def test_a_digest_that_fits_is_not_yet_a_report(content: str, tmp_path: Path) -> None:
    """Whoever can write a file can write its digest."""
    (tmp_path / REPORT).write_text(sealed(content))
    for read in (read_report, check_digests):
        with pytest.raises(InputError, match=r"run\.json: cannot be read"):
            read(tmp_path)


@pytest.mark.parametrize("damage", DAMAGES)
def test_another_file_is_one_sentence(damage: str, directory: Path, tmp_path: Path) -> None:
    """Also where its digest is made to fit."""
    text = (directory / REPORT).read_text()
    damaged = DAMAGES[damage](text)
    assert damaged != text
    for content in (damaged, sealed(DAMAGES[damage](text[: text.rindex(",")]))):
        (tmp_path / REPORT).write_text(content)
        sentence = r"run\.json: cannot be read \(.*expected the report"
        with pytest.raises(InputError, match=sentence) as e:
            read_report(tmp_path)
        assert "\n" not in str(e.value) and len(str(e.value)) < 400


def test_schema_in_the_docs_is_that_of_the_model() -> None:
    """It is made again by python3 -m mfresnet.output.run_json > docs/run.schema.json ."""
    stored = json.loads((ROOT / "docs/run.schema.json").read_text())
    assert stored == RunReport.model_json_schema()
