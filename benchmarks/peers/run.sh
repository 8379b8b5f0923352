#!/usr/bin/env bash
# benchmarks/peers/run.sh [options of benchmarks.peers]: mfresnet beside its peers, docs/benchmarks.md.
# The peers have an environment of their own on top of that of docker/run, build/peers/env-..., made
# once for the pins of requirements.txt; where it cannot be made, the page says which peers are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
peers=$PWD/build/peers

if [ "${1:-}" != --inside ]; then
  # shellcheck source=docker/reach.sh
  source docker/reach.sh
  reach "$peers"
  exec docker/run env "${settings[@]}" benchmarks/peers/run.sh --inside "$@"
fi
shift

pins=$({ python3 --version; cat benchmarks/peers/requirements.txt; } | sha256sum | cut -c1-12)
environment=$peers/env-$pins
if [ ! -e "$environment/complete" ]; then
  echo "benchmarks/peers/run.sh: installing the peers once (log: build/peers/install.log)" >&2
  rm -rf "$environment"
  python3 -m venv --without-pip --system-site-packages "$environment"
  if python3 -m pip --python "$environment/bin/python" install --no-deps --no-build-isolation \
    --no-cache-dir --require-hashes -r benchmarks/peers/requirements.txt >"$peers/install.log" 2>&1; then
    touch "$environment/complete"
  else
    echo "benchmarks/peers/run.sh: peers are missing, and the page will say so: $(tail -n 1 "$peers/install.log")" >&2
  fi
fi
exec "$environment/bin/python" -m benchmarks.peers "$@"
