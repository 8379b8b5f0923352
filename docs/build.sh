#!/usr/bin/env bash
# docs/build.sh [options of Sphinx]: make the book, build/book/site/index.html.
# Sphinx has an environment of its own on top of that of docker/run, build/book/env-..., made once
# for the pins of docs/requirements.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
book=$PWD/build/book

if [ "${1:-}" != --inside ]; then
  # shellcheck source=docker/reach.sh
  source docker/reach.sh
  reach "$book"
  exec docker/run env "${settings[@]}" docs/build.sh --inside "$@"
fi
shift

# kernels and caches write below the home; the last value of a cell is not shown, as in a script
export HOME=$book/home
mkdir -p "$HOME/.ipython/profile_default"
cat >"$HOME/.ipython/profile_default/ipython_kernel_config.py" <<'PYTHON'
c.InteractiveShell.ast_node_interactivity = "none"
c.InlineBackend.figure_formats = {"retina"}
# that it listens on this machine without encryption is no warning of the book
c.IPKernelApp.log_level = "ERROR"
PYTHON
pins=$({ python3 --version; cat docs/requirements.txt; } | sha256sum | cut -c1-12)
environment=$book/env-$pins
if [ ! -e "$environment/complete" ]; then
  echo "docs/build.sh: installing Sphinx once (log: build/book/install.log)" >&2
  rm -rf "$environment"
  {
    python3 -m venv --without-pip --system-site-packages "$environment" &&
      python3 -m pip --python "$environment/bin/python" install --no-deps --no-compile \
        --no-cache-dir --require-hashes --disable-pip-version-check -r docs/requirements.txt
  } >"$book/install.log" 2>&1 || {
    echo "docs/build.sh: the installation of Sphinx failed; $(tail -n 1 "$book/install.log"). Check the network and run this again." >&2
    exit 1
  }
  touch "$environment/complete"
fi
export PATH="$environment/bin:$PATH"
python -m sphinx -b html -W -n --keep-going -j 2 -d "$book/trees" "$@" docs "$book/site"
echo "build/book/site/index.html"
