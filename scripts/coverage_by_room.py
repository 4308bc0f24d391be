"""Prints the share of reached lines of each room from gcovr's JSON summary. Exit 1 below 90% outside src/cli/."""

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
