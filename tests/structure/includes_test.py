"""Rooms of src/ include only rooms before them, and nothing but engine/ knows how an engine is made."""
import re
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
# In the order of docs/architecture.md: what each room may include besides itself.
KNOWS = {
    "base": [],
    "io": ["base"],
    "graph": ["base", "io"],
    "geometry": ["base", "io", "graph"],
    "data": ["base", "io"],
    "graph_import": ["base", "io", "graph", "data"],
    "model": ["base", "io"],
    "communicator": ["base"],
    "engine": ["base", "io", "model", "communicator"],
    "gpu_measures": ["base", "io", "graph", "geometry", "model", "communicator", "engine"],
    "optimize": ["base", "io", "model", "communicator", "engine"],
    "events": ["base", "io", "model"],
    "train": ["base", "io", "data", "model", "communicator", "engine", "optimize", "events"],
    "extract": ["base", "io", "data", "model", "communicator", "engine"],
    "snapshots": ["base", "io", "graph", "geometry", "data", "model", "communicator", "engine", "optimize", "events", "train", "extract"],
    "tune": ["base", "io", "graph", "geometry", "data", "model", "communicator", "engine", "optimize", "train", "events", "extract"],
    "report": ["base", "io", "graph", "geometry", "data", "model", "communicator", "engine", "optimize", "events", "train", "extract",
               "snapshots"],
    "cli": ["base", "io", "graph", "geometry", "data", "graph_import", "model", "communicator", "engine", "optimize", "train", "events", "extract",
            "gpu_measures", "snapshots", "tune", "report"],
}


def includes(file):
    """Of sources; a generated header is named by what it is generated from."""
    return [name.replace(".pb.h", ".proto") for name in re.findall(r'^#include "([^"]+)"', file.read_text(), re.M)]


class IncludesTest(unittest.TestCase):
    def test_every_room_is_known(self):
        self.assertEqual(sorted(path.name for path in SOURCE.iterdir()), sorted(KNOWS))

    def test_no_room_includes_a_later_one(self):
        checked = 0
        for file in sorted(path for kind in ("*.h", "*.cpp", "*.cu") for path in SOURCE.rglob(kind)):
            room = file.relative_to(SOURCE).parts[0]
            for name in includes(file):
                checked += 1
                place = f"{file.relative_to(SOURCE)} includes {name}"
                self.assertTrue((SOURCE / name).is_file(), place)
                self.assertIn(name.split("/")[0], [room, *KNOWS[room]], place)
                if room != "engine":
                    self.assertFalse(name.startswith(("engine/cpu/", "engine/cuda/")), place)
        self.assertGreater(checked, 300)

    def test_commands_print_through_one_place(self):
        """fmt::print throws where a reader is gone, which must end no command; see cli/say.h."""
        for file in sorted(SOURCE.rglob("*.cpp")) + sorted(SOURCE.rglob("*.h")):
            self.assertNotIn("fmt::print", file.read_text(), file.relative_to(SOURCE))

    def test_the_build_links_no_more_than_that(self):
        """strider_room(NAME DEPENDS ...) in CMakeLists.txt names rooms before it, of which each brings its own."""
        text = (SOURCE.parent / "CMakeLists.txt").read_text()
        reaches = {}
        for name, rest in re.findall(r"^strider_room\((\w+)([^)]*)\)", text, re.M):
            found = re.search(r"\bDEPENDS((?: [a-z]\w*)+)", rest)
            direct = found.group(1).split() if found else []
            reaches[name] = set(direct).union(*(reaches[room] for room in direct))
            self.assertEqual(reaches[name], set(KNOWS[name]), name)
        self.assertEqual(set(reaches) | {"cli"}, set(KNOWS))


if __name__ == "__main__":
    unittest.main()
