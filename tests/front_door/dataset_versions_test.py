"""What 01c writes opens in versions 3 and 4 of the library datasets, with the same rows and types."""
import json
import os
import subprocess
import sys
import unittest

from scene import ROOT, Scene

# Versions differ in what they call the type of a list, so types are compared as Arrow has them.
READ = """
import json, sys, datasets
folder = sys.argv[1]
splits = datasets.load_from_disk(folder)
print(json.dumps({"version": datasets.__version__,
                  "splits": {name: split.to_dict() for name, split in splits.items()},
                  "types": {name: str(split.features.arrow_schema.remove_metadata()) for name, split in splits.items()},
                  "again": {name: split.map(lambda row: {"ends": row["input_ids"][-1]}).to_dict() for name, split in splits.items()}}))
"""
DATASETS_3 = ROOT / "build" / "datasets3"  # made by scripts/build.sh tests


class DatasetVersionsTest(unittest.TestCase):
    def read(self, scene, path):
        environment = {"PATH": os.environ["PATH"], "HOME": str(scene.folder), "HF_DATASETS_OFFLINE": "1",
                       "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "PYTHONPATH": str(path)}
        done = subprocess.run([sys.executable, "-B", "-c", READ, scene.folder / "results/torus_4x5/dataset"], text=True,
                              capture_output=True, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_the_same_dataset_in_both(self):
        scene = Scene()
        self.addCleanup(scene.close)
        scene.make_dataset(MAX_SEQS=100)
        new, old = self.read(scene, ""), self.read(scene, DATASETS_3)
        self.assertEqual((new.pop("version")[0], old.pop("version")[0]), ("4", "3"))
        self.assertEqual(len(new["splits"]["train"]["input_ids"]), 95)
        self.assertEqual(old, new)


if __name__ == "__main__":
    unittest.main()
