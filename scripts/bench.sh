#!/usr/bin/env bash
# Measures this machine, every part of a step, whole steps and how they grow, prints the tables and puts them into
# docs/performance.md, the charts into docs/charts/.
# With PEERS_PYTHON (a Python that has torch, transformers and accelerate) the peers take turns with Strider.
# Usage: bench.sh [steps|growth] [options of bench/report.py: --quick takes one turn instead of three]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
what=all
case ${1:-} in
  steps | growth)
    what=$1
    shift
    ;;
esac
if [ "$what" != growth ]; then build/python/bin/python -B bench/report.py build --write docs/performance.md "$@"; fi
if [ "$what" != steps ]; then build/python/bin/python -B bench/growth.py build --write docs/performance.md; fi
