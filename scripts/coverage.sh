#!/usr/bin/env bash
# Runs the whole suite on a build that counts which lines were reached, and prints the share of each room.
# Lines that no test reached: build-coverage/lines.txt. Fails when less than 90% outside src/cli/ are reached.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/test_packages.sh coverage
mkdir -p build-coverage
cmake -S . --preset coverage >build-coverage/configure.log || {
  cat build-coverage/configure.log
  exit 1
}
cmake --build build-coverage --parallel "$(nproc)"
find build-coverage -name '*.gcda' -delete # what an earlier suite reached
ctest --test-dir build-coverage --output-on-failure --parallel "$(nproc)"
gcovr --root . --filter src/ --object-directory build-coverage --exclude-throw-branches -j "$(nproc)" \
  --exclude-directories ".*CompilerId.*" --txt build-coverage/lines.txt --json-summary build-coverage/lines.json build-coverage
python3 scripts/coverage_by_room.py build-coverage/lines.json
