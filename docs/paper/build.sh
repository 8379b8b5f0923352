#!/usr/bin/env bash
# docs/paper/build.sh: make build/paper/paper.pdf with pandoc and LaTeX, which are installed first
# where they are missing and that is possible (root on Debian or Ubuntu).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
out=$(cd ../.. && pwd)/build/paper

if ! command -v pandoc >/dev/null || ! command -v pdflatex >/dev/null; then
  packages="pandoc texlive-latex-recommended lmodern"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "docs/paper/build.sh: installing $packages" >&2
    { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $packages; } >&2
  else
    echo "docs/paper/build.sh: pandoc or pdflatex is missing; install $packages and run this again." >&2
    exit 1
  fi
fi
mkdir -p "$out"
# \autoref is that of the journal's own style
sed -E 's/\\autoref\{fig:row\}/Figure 1/; s/\\autoref\{fig:limit\}/Figure 2/; s/\\label\{[^}]*\}//' paper.md |
  pandoc --from markdown --citeproc --bibliography paper.bib --pdf-engine pdflatex \
    -V geometry:margin=2.8cm -V fontsize=11pt -V colorlinks=true \
    -V author="the mfresnet authors" -o "$out/paper.pdf"
echo "build/paper/paper.pdf"
