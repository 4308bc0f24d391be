#!/usr/bin/env bash
# Measures this machine, every operation and whole steps, prints the tables and puts them into docs/performance.md.
# With PEERS_PYTHON (a Python that has torch, transformers and accelerate) the peers take turns with Strider.
# Arguments go to bench/report.py: --quick takes one turn instead of three.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec python3 bench/report.py build --write docs/performance.md "$@"
