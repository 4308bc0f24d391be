#!/usr/bin/env bash
# Everything that building and testing take: Debian packages, the private Python environment build/python, and beside it
# an older version of `datasets` and the reader of TensorBoard. More Debian packages may be named as for system_packages.sh.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/system_packages.sh build test "$@"
scripts/python_env.sh build/python scripts/requirements-build.txt scripts/requirements-test.txt
scripts/python_env.sh --beside build/python build/datasets3 scripts/requirements-datasets3.txt
scripts/python_env.sh --beside build/python build/tensorboard scripts/requirements-tensorboard.txt
