"""strider inspect knows everything that the chain writes; wrong usage is named with what was meant."""
import json
import os
import subprocess
import unittest

from scene import TINY, Scene

PROGRAM = os.environ["STRIDER"]


def setUpModule():
    global scene
    scene = Scene()
    scene.make_dataset()
    # Checkpoints whose names sort otherwise as words than as numbers.
    scene.must("02a_model_training.sh", **(TINY | dict(MAX_STEPS=12, EVAL_STEPS=4, SAVE_STEPS=4, SAVE_TOTAL_LIMIT="all")))
    scene.must("02b_representation_extraction.sh", **TINY)


def tearDownModule():
    scene.close()


def call(*arguments):
    return subprocess.run([PROGRAM, *arguments], cwd=scene.folder, capture_output=True, text=True, timeout=60)


def inspect(path):
    done = call("inspect", "--json", path)
    assert done.returncode == 0, f"{path}: {done.stderr}"
    return json.loads(done.stdout)


class InspectTest(unittest.TestCase):
    def test_every_file_and_folder_of_the_chain(self):
        paths = [path for path in (scene.folder / "results").rglob("*") if not path.name.startswith(".")]
        self.assertGreater(len(paths), 40)
        for path in [scene.folder / "results", *paths]:
            self.assertIn("kind", inspect(path), path)
            self.assertEqual(call("inspect", path).returncode, 0, path)

    def test_what_they_hold(self):
        data = "results/torus_4x5"
        self.assertEqual(inspect(f"{data}/sequences/walks_torus_4x5.csv")["walks"], 2000)
        self.assertEqual(inspect(f"{data}/dataset/train")["walks"], 1900)
        self.assertEqual(inspect(f"{data}/dataset/")["validation"]["walks"], 100)
        self.assertIn("[20, 20]", inspect(f"{data}/graph/A_torus_4x5.npy")["array"])
        self.assertEqual(inspect(f"{data}/tiny/metrics.jsonl")["last step"], 12)
        self.assertEqual(set(inspect(data)["contents"].values()),
                         {"folder", "dataset", "training run"})

    def test_a_run(self):
        run = inspect("results/torus_4x5/tiny")
        self.assertEqual(run["checkpoints"], ["checkpoint-4", "checkpoint-8", "checkpoint-12"])
        self.assertEqual(run["settings"]["max_steps"], 12)
        self.assertTrue(run["finished"])
        self.assertIn("eval_loss", run["result"])
        self.assertIn("best_checkpoint", run["result"])

    def test_what_it_does_not_know(self):
        (scene.folder / "notes.txt").write_text("mine")
        done = call("inspect", "notes.txt")
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not know", done.stderr)
        (scene.folder / "empty").mkdir()
        self.assertIn("nothing that Strider knows", call("inspect", "empty").stderr)
        for name, text in (("trainer_state.json", "[1, 2]"), ("empty.csv", ""), ("broken.json", "{")):
            (scene.folder / name).write_text(text)
            done = call("inspect", name)
            self.assertEqual(done.returncode, 1, name)
            self.assertIn(name, done.stderr)


class UsageTest(unittest.TestCase):
    def refused(self, code, *arguments):
        done = call(*arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stderr

    def test_did_you_mean(self):
        self.assertIn("did you mean train?", self.refused(2, "trian"))
        self.assertIn("The commands are graph, walks", self.refused(2, "bogus"))
        text = self.refused(2, "train", "--epoch", "3", "--lerning_rate=1")  # although others are missing
        self.assertIn("no option --epoch; did you mean --epochs?", text)
        self.assertIn("no option --lerning_rate; did you mean --learning_rate?", text)
        self.assertLess(text.index("--epoch"), text.index("--lerning_rate"))
        self.assertIn("did you mean --output_dir?", self.refused(2, "train", "--output", "x"))
        text = self.refused(2, "train", "zzz", "--seed", "-3", "-x", "yyy", "--overwrite", "--threads=2", "xxx")
        self.assertEqual([text.index(word) for word in ("zzz", "-x", "yyy", "xxx")],
                         sorted(text.index(word) for word in ("zzz", "-x", "yyy", "xxx")))
        self.assertIn('takes no "c"', self.refused(2, "inspect", "a", "b", "c"))
        self.assertIn("no option --bogus", self.refused(2, "--bogus"))

    def test_a_run_is_no_model(self):
        text = self.refused(1, "extract", "--model_dir", "results/torus_4x5/tiny", "--output_dir", "out")
        self.assertIn("--model_dir results/torus_4x5/tiny/final_model", text)
        text = self.refused(1, "train", "--dataset_dir", "results/torus_4x5/dataset", "--config",
                            "configs/config_tiny.json", "--output_dir", "out", "--init_from", "results/torus_4x5/tiny")
        self.assertIn("results/torus_4x5/tiny/final_model", text)

    def test_threads_are_said_alike(self):
        for command in ("train", "extract"):
            self.assertRegex(call(command, "--help").stdout, r"--threads THREADS \[all\] +Threads; or all")
        model = "results/torus_4x5/tiny/final_model"
        for threads in ("all", "0", "2"):
            self.assertEqual(call("extract", "--model_dir", model, "--output_dir", f"out {threads}", "--threads",
                                  threads).returncode, 0)
        self.assertIn("THREADS", self.refused(1, "extract", "--model_dir", model, "--threads", "-1"))


if __name__ == "__main__":
    unittest.main()
