"""The default data are the reference's, byte for byte, and the default run begins as HF Trainer's does on them."""
import hashlib
import json
import os
import signal
import subprocess
import unittest

from datasets import load_from_disk

from scene import ROOT, Scene

NAME = "torus_30x40"
GOLDEN = ROOT / "tests" / "golden"
STEPS = 12  # of the 60 that golden has: enough to see order, weights and update, in a few seconds


def golden(name):
    return json.loads((GOLDEN / name).read_text())


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def setUpModule():
    global scene, home
    scene = Scene()
    for script in ("01a_graph_generation.sh", "01b_sequence_generation.sh", "01c_dataset_preparation.sh"):
        scene.must(script)
    home = scene.folder / "results" / NAME


def tearDownModule():
    scene.close()


class DefaultDataTest(unittest.TestCase):
    def test_walks_and_counts_are_the_references_bytes(self):
        expected = golden("walks/default.json")
        self.assertEqual(sha256((home / "sequences" / f"walks_{NAME}.csv").read_bytes()), expected["walks_sha256"])
        self.assertEqual(sha256((home / "sequences" / f"visit_counts_{NAME}.csv").read_bytes()),
                         expected["visit_counts_sha256"])

    def test_the_split_holds_the_references_walks_in_its_order(self):
        expected = next(row for row in golden("split.json") if row["walks"] == 120000)
        splits = load_from_disk(home / "dataset")
        for name in ("train", "validation"):
            ids = splits[name].with_format("numpy")["walk_id"][:].astype("<i8")
            self.assertEqual(sha256(ids.tobytes()), expected[f"{name}_sha256_of_le_int64"])

    def test_the_run_begins_as_trainers(self):
        expected = golden("default_run_first_steps.json")
        environment = scene.environment(LOGGING_STEPS=1, LOSS_DENOMINATOR="labels", USE_CPU="true")
        run = subprocess.Popen([ROOT / "02a_model_training.sh"], cwd=scene.folder, env=environment, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
        printed = []
        for line in run.stdout:
            printed.append(line)
            if line.startswith(f"step {STEPS}/"):
                os.killpg(run.pid, signal.SIGTERM)
                break
        printed.append(run.stdout.read())
        run.wait(timeout=120)
        checkpoints = sorted((home / "2M_llama").glob("checkpoint-*"))
        self.assertEqual(len(checkpoints), 1, "".join(printed))
        log = json.loads((checkpoints[0] / "trainer_state.json").read_text())["log_history"]
        self.assertGreaterEqual(len(log), STEPS)
        for entry in log:
            step = entry["step"]
            self.assertAlmostEqual(entry["loss"], expected["micro_batch_losses"][step - 1], delta=1e-3)
            self.assertEqual(entry["learning_rate"], expected["learning_rate"][step - 1])
            norm = expected["grad_norm"][step - 1]
            self.assertAlmostEqual(entry["grad_norm"], norm, delta=1e-3 * norm)


if __name__ == "__main__":
    unittest.main()
