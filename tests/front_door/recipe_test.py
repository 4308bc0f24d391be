"""RECIPE, and the search for one (strider tune), as a user calls them."""
import json
import os
import re
import signal
import subprocess
import unittest

from scene import TINY, RunTest

LEFT_TO_THE_RECIPE = ("EPOCHS", "BATCH_SIZE", "LEARNING_RATE", "WARMUP_STEPS", "EVAL_STEPS", "SAVE_STEPS")


class RecipeTest(RunTest):
    settings = {name: value for name, value in TINY.items() if name not in LEFT_TO_THE_RECIPE} | dict(
        RECIPE="fast", MAX_STEPS=20, PRECISION="float32")

    def tune(self, output, *arguments, dataset="results/torus_4x5/dataset", tokens=20_000):
        command = [os.environ["STRIDER"], "tune", "--dataset_dir", dataset, "--config", "configs/config_tiny.json",
                   "--output_dir", output, "--tokens", str(tokens), "--candidates", "4", "--max_length", "24",
                   "--precision", "float32", *arguments]
        return subprocess.Popen(command, cwd=self.scene.folder, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)

    def test_it_sets_what_the_user_does_not(self):
        text = self.train("given", BATCH_SIZE=8)
        said = re.search(r"RECIPE=fast: (.*)", text)[1]
        self.assertIn("OPTIMIZER=muon", said)
        for variable in ("BATCH_SIZE", "MAX_STEPS", "PRECISION"):
            self.assertNotIn(f" {variable}=", " " + said)
        self.assertIn("Recipe: fast", text)
        self.assertIn("Batch size: 8", text)
        self.assertNotIn("Learning rate:", text.split("Training model...")[0])
        self.assertIn("finished", self.train("given", BATCH_SIZE=8))
        self.assertIn("other settings", self.train("given", 1, BATCH_SIZE=8, RECIPE="reference"))

    def test_its_line_can_be_pasted(self):
        said = re.search(r"RECIPE=fast: (.*)", self.train("recipe"))[1]
        by_hand = dict(re.findall(r'(\w+)="?([^"]*?)"?(?= [A-Z_]+\d?=|$)', said))
        self.train("by hand", RECIPE="reference", **by_hand)
        weights = [(self.scene.folder / name / "final_model/model.safetensors").read_bytes()
                   for name in ("recipe", "by hand")]
        self.assertEqual(*weights)

    def test_a_recipe_that_does_not_exist(self):
        text = self.train("unknown", 1, RECIPE="quick")
        self.assertIn("must be one of reference, fast, lowest-loss", text)
        self.assertFalse((self.scene.folder / "unknown").exists())

    def test_a_search_ends_with_a_command_that_trains(self):
        search = self.tune("search", "--keep_surface")
        text = search.communicate(timeout=120)[0]
        self.assertEqual(search.returncode, 0, text)
        variables = re.search(r"To train with it:\n  (.*) \./02a_model_training\.sh", text)[1]
        found = json.loads((self.scene.folder / "search/tune.json").read_text())
        self.assertEqual(found["best"]["variables"], variables)
        self.assertIn("geodesics", found["best"])
        self.assertIn("</svg>", (self.scene.folder / "search/tune.svg").read_text())
        self.assertRegex(text, r"run 6/6: rung 2, candidate \d: loss \d")
        again = self.tune("search", "--keep_surface")
        self.assertIn("Goes on: 6 of 6 runs are made", again.communicate(timeout=60)[0])

    def test_a_stopped_search_goes_on(self):
        search = self.tune("stopped", tokens=200_000)
        lines = []
        for line in search.stdout:
            lines.append(line)
            if line.startswith("run 1/"):
                search.send_signal(signal.SIGINT)
                break
        text = "".join(lines) + search.communicate(timeout=60)[0]
        self.assertEqual(search.returncode, 128 + signal.SIGINT, text)
        self.assertIn("The same command goes on from here", text)
        again = self.tune("stopped", tokens=200_000)
        text = again.communicate(timeout=120)[0]
        self.assertEqual(again.returncode, 0, text)
        self.assertRegex(text, r"Goes on: [1-5] of 6 runs are made")

    def test_a_dataset_without_validation(self):
        dataset = self.scene.must("01c_dataset_preparation.sh", **(TINY | dict(TRAIN_SPLIT=1, DATASET_DIR="all")))
        self.assertTrue(dataset)
        search = self.tune("nothing", dataset="all")
        text = search.communicate(timeout=60)[0]
        self.assertEqual(search.returncode, 1, text)
        self.assertIn("no validation split", text)
        self.assertFalse((self.scene.folder / "nothing").exists())


if __name__ == "__main__":
    unittest.main()
