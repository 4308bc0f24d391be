#!/usr/bin/env bash
# Checks that change nothing: formatting, clang-tidy, shellcheck.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/build.sh tests
scripts/system_packages.sh lint
git ls-files '*.cpp' '*.h' | xargs clang-format --dry-run --Werror
git ls-files '*.sh' .ci/run | xargs shellcheck --external-sources
run-clang-tidy -quiet -p build -j "$(nproc)" '/(src|tests)/.*\.cpp$'
