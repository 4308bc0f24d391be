#!/usr/bin/env bash
# Runs a script of tests/pages, which looks at reports in a headless Chromium, with all that it takes.
# Usage: test_pages.sh SCRIPT [ARGUMENTS...]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/build.sh program
scripts/system_packages.sh pages
scripts/python_env.sh build/pages scripts/requirements-pages.txt
STRIDER=$PWD/build/strider exec build/pages/bin/python -B "$@"
