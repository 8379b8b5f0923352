# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The recipes have what pyproject.toml declares, and the scripts for Slurm do what they say.

There is no Slurm here: srun and scontrol are stubs that write down what they are asked.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mfresnet
from commands import outside

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SCRIPTS = sorted((PACKAGING / "slurm").glob("*.sh"))
SHIFT, PLANE = ROOT / "cases/shift_1d.toml", ROOT / "cases/two_classes_2d.toml"
DEBIAN = {  # distribution -> Debian's package, where it is not python3-NAME; or what brings it
    "fenics-dolfinx": "python3-dolfinx-real",
    "petsc4py": "python3-petsc4py-real",
    "scikit-learn": "python3-sklearn",
    "cffi": "python3-dolfinx-real",
    "click": "python3-typer",
}
SRUN = """#!/usr/bin/env bash
echo "srun $*" >> "$LOG"
while [[ $1 == --* ]]; do shift; done
if [ -z "${STOP_AT:-}" ]; then exec "$@"; fi
"$@" &
until [ -s "$STOP_AT" ]; do sleep 0.05; kill -0 $! || break; done
kill -USR1 $!
wait $!
"""
SCONTROL = '#!/usr/bin/env bash\necho "scontrol $*" >> "$LOG"\n'


def wanted() -> dict[str, str]:
    """Return distribution -> its least version, "" for any."""
    found = {"fenics-dolfinx": "0.9", "petsc4py": "", "mpi4py": "4"}  # in place of the extra solver
    for line in PROJECT["dependencies"]:
        name, _, version = line.partition(">=")
        found[name] = version
    return found


def recipe(name: str, pattern: str) -> dict[str, str]:
    text = (PACKAGING / name).read_text()
    return {match[1]: match[2] or "" for match in re.finditer(pattern, text, re.MULTILINE)}


def test_conda_has_what_the_project_declares() -> None:
    found = recipe("conda/meta.yaml", r"^    - ([a-z][\w-]*)(?: >=([\d.]+))?$")
    names = {"matplotlib": "matplotlib-base"}  # without the windows
    for name, version in wanted().items():
        assert found[names.get(name, name)] == version
    text = (PACKAGING / "conda/meta.yaml").read_text()
    assert f'version = "{mfresnet.__version__}"' in text
    assert text.count(f"- python {PROJECT['requires-python']}") == 2
    for name, entry in PROJECT["scripts"].items():
        assert f"- {name} = {entry}" in text


def test_spack_has_what_the_project_declares() -> None:
    found = recipe("spack/package.py", r'depends_on\("py-([\w-]+)(?:@([\d.]+):)?"')
    for name, version in wanted().items():
        assert found[name] == version
    for extra in ("space", "meshes", "export"):
        names = PROJECT["optional-dependencies"][extra]
        text = (PACKAGING / "spack/package.py").read_text()
        for name in names:
            assert f'depends_on("py-{name}", when="+{extra}")' in text
    assert f'version("{mfresnet.__version__}")' in text
    assert f'"python@{PROJECT["requires-python"].removeprefix(">=")}:"' in text


def test_apptainer_reads_the_packages_of_the_dockerfile() -> None:
    """By the commands of the definition itself."""
    text = (PACKAGING / "apptainer/mfresnet.def").read_text()
    post = text[text.index("%post") : text.index("export DEBIAN")].removeprefix("%post")
    post = post.replace("/opt/mfresnet", str(ROOT)) + "\necho $packages; cat $wheels"
    done = subprocess.run(["sh", "-euc", post], capture_output=True, text=True, check=True)
    words = re.sub(r"#.*|--hash=\S+|\\", "", done.stdout).split()
    found = {word.partition("==")[0] for word in words}
    for name in PROJECT["dependencies"]:
        name = re.split("[>=]", name)[0]
        assert {name, DEBIAN.get(name, f"python3-{name}")} & found, name
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name) for name in found)
    sources = re.findall(r"^    (\S+) /opt/mfresnet/(\S+)$", text, re.MULTILINE)
    assert all(here == there and (ROOT / here).exists() for here, there in sources) and sources


@pytest.mark.parametrize("file", ["docker/requirements.txt", "docs/requirements.txt"])
def test_what_comes_from_elsewhere_is_pinned_by_hash(file: str) -> None:
    text = re.sub(r" \\\n +(?=--hash)", " ", (ROOT / file).read_text())
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( --hash=sha256:[0-9a-f]{64})+", line), line


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_are_right_in_themselves(script: Path) -> None:
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    if shutil.which("shellcheck"):
        done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    lines = script.read_text().splitlines()
    rules = [i for i, line in enumerate(lines) if line.startswith("#SBATCH")]
    assert rules == list(range(1, len(rules) + 1))  # Slurm reads no further than the first command


def batch(
    folder: Path, name: str, *arguments: object, **settings: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the body of a script with stubs of Slurm; return it, and what the stubs were asked."""
    (folder / "bin").mkdir(exist_ok=True)
    for stub, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (folder / "bin" / stub).write_text(text)
        (folder / "bin" / stub).chmod(0o755)
    log = folder / "log"
    log.write_text("")
    program = f"{sys.executable} -m mfresnet"
    variables = outside() | {"LOG": str(log), "MFRESNET": program, "SLURM_JOB_ID": "7"} | settings
    variables["PATH"] = f"{folder / 'bin'}:{variables['PATH']}"
    line = ["bash", str(PACKAGING / "slurm" / name), *map(str, arguments)]
    done = subprocess.run(
        line, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    return done, log.read_text().splitlines()


@pytest.mark.parametrize("name", ["one_node.sh", "many_nodes.sh"])
def test_one_case(name: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    bare = ["--set", "output.pictures=false", "--set", "output.fields=false"]
    done, log = batch(tmp_path, name, SHIFT, out, *bare, OMPI_MCA_btl="self,sm")
    assert done.returncode == 0, done.stderr
    assert (out / "run.json").exists() and len(log) == 1
    assert ("--mpi=pmix" in log[0]) == (name == "many_nodes.sh")
    done, _ = batch(tmp_path, name, SHIFT, out, *bare)
    assert done.returncode == 2 and "holds an earlier run" in done.stderr


def test_stopped_jobs_go_back_into_the_queue(tmp_path: Path) -> None:
    """And on from their checkpoints."""
    out = tmp_path / "run"
    small = ["--set", "training.gradient_tolerance=1e-2", "--set", "penalty.tikhonov=0.05",
             "--set", "output.pictures=false", "--set", "output.fields=false"]  # fmt: skip
    stop = str(out / "checkpoint/evaluations.bin")
    done, log = batch(tmp_path, "preemptible.sh", PLANE, out, *small, STOP_AT=stop)
    assert done.returncode == 0, done.stderr
    assert "Go on with --resume" in done.stderr and not (out / "run.json").exists()
    assert log[-1] == "scontrol requeue 7" and "--resume" not in log[0]
    done, log = batch(tmp_path, "preemptible.sh", PLANE, out, *small)
    assert done.returncode == 0, done.stderr
    assert (out / "run.json").exists() and len(log) == 1 and "--resume" in log[0]


def test_array_of_jobs_is_a_study(tmp_path: Path) -> None:
    study = [SHIFT, "--out", tmp_path / "study", "--over", "penalty.tikhonov=0.1,1"]
    array = {"SLURM_ARRAY_JOB_ID": "5"}
    for member in ("1", "0"):
        done, log = batch(tmp_path, "study_array.sh", *study, SLURM_ARRAY_TASK_ID=member, **array)
        assert done.returncode == 0, done.stderr
        assert log[-1].endswith(f"--member {member} --resume")
    stopped = f"{sys.executable} -c raise(SystemExit(75))"
    done, log = batch(
        tmp_path, "study_array.sh", *study, SLURM_ARRAY_TASK_ID="3", MFRESNET=stopped, **array
    )
    assert done.returncode == 0 and log[-1] == "scontrol requeue 5_3"
    line = [sys.executable, "-m", "mfresnet", "study", *map(str, study), "--resume"]
    done = subprocess.run(line, capture_output=True, text=True, env=outside(), check=False)
    assert done.returncode == 0 and "2 of 2 members converged" in done.stdout
    assert done.stderr == ""  # no member has run again
    assert all("--signal=USR1@" in p.read_text() for p in SCRIPTS if "requeue" in p.read_text())
