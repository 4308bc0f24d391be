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
python3 - build-coverage/lines.json <<'END'
import collections, json, pathlib, sys

rooms = collections.defaultdict(lambda: [0, 0])
for file in json.loads(pathlib.Path(sys.argv[1]).read_text())["files"]:
    room = pathlib.PurePath(file["filename"]).parts[1]
    for name in (room, *(["all but cli"] if room != "cli" else [])):
        rooms[name][0] += file["line_covered"]
        rooms[name][1] += file["line_total"]
for name, (reached, lines) in sorted(rooms.items(), key=lambda item: (item[0] == "all but cli", item[0])):
    print(f"{name:12} {reached:5} of {lines:5} lines  {100 * reached / lines:5.1f}%")
reached, lines = rooms["all but cli"]
sys.exit(0 if reached >= 0.9 * lines else "less than 90% of the lines outside src/cli/ are reached")
END
