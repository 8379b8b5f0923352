#!/usr/bin/env bash
# What a user of a laptop does, from nothing and without root: a virtual environment, the package with
# DOLFINx from binary wheels, the demo; then one case on 1, 2 and 3 ranks. Prints the seconds of each
# step. Needs Linux on x86-64 and a Python of 3.12 or later with its module venv (PYTHON names one).
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12} "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python; do
    if "$candidate" -c 'import ensurepip, sys; raise SystemExit(sys.version_info < (3, 12))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "packaging/laptop.sh: no Python of 3.12 or later with venv was found. Set PYTHON." >&2
  return 75
}

step() {
  local name=$1 start=$SECONDS
  shift
  "$@" > "$place/$name.log" 2>&1 || { cat "$place/$name.log" >&2; exit 1; }
  printf '%-12s %4d s\n' "$name" $((SECONDS - start))
}

python=$(find_python) || exit $?
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export XDG_CACHE_HOME=$place/cache MPLCONFIGDIR=$place/cache
bin=$place/env/bin
step environment "$python" -m venv "$place/env"
# a copy, so that nothing is built in the checkout
mkdir "$place/source"
tar -C "$checkout" -c --exclude=./results --exclude=./.git . | tar -x -C "$place/source"
step install "$bin/pip" install "$place/source[solver]"
cd "$place"
step demo "$bin/mfresnet" run "$checkout/cases/breast_cancer.toml" --out demo
for ranks in 1 2 3; do
  step "ranks-$ranks" "$bin/mpiexec" -n $ranks "$bin/mfresnet" run "$checkout/cases/shift_1d.toml" --out "ranks-$ranks"
done
"$bin/python" - <<'PYTHON'
import json, pathlib

found = [json.loads(pathlib.Path(f"ranks-{n}/run.json").read_text())["objective"] for n in (1, 2, 3)]
values = [value["total"] for value in found]
assert max(values) - min(values) <= 1e-10 * abs(values[0]), values
print(f"J on 1, 2, 3 ranks: {values}")
PYTHON
du -sh "$place/env" | cut -f1
