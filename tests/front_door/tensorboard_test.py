"""TensorBoard itself reads the event files of a run: curves as they are in metrics.jsonl, and after kills, resumes and new
beginnings no step twice."""
import json
import os
import subprocess
import sys
import unittest

from safetensors import safe_open

from scene import ROOT, TINY, RunTest

# The server's own reader. The other one, EventAccumulator of event_accumulator.py, is what scripts use.
READ = """
import json, sys
from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.util import tensor_util
every = {name: 0 for name in ("scalars", "tensors", "histograms")}
plain = event_accumulator.EventAccumulator(sys.argv[1], size_guidance=every)
server = plugin_event_accumulator.EventAccumulator(sys.argv[1], size_guidance=every)
plain.Reload()
server.Reload()
plugin = lambda tag: server.SummaryMetadata(tag).plugin_data.plugin_name
print(json.dumps({
    "plain": {tag: [[e.step, e.value] for e in plain.Scalars(tag)] for tag in plain.Tags()["scalars"]},
    "server": {tag: [[e.step, float(tensor_util.make_ndarray(e.tensor_proto))] for e in server.Tensors(tag)]
               for tag in server.Tags()["tensors"] if plugin(tag) == "scalars"},
    "histograms": {tag: [[e.step, tensor_util.make_ndarray(e.tensor_proto).tolist()] for e in server.Tensors(tag)]
                   for tag in server.Tags()["tensors"] if plugin(tag) == "histograms"},
    "kept": {tag: [[e.step, e.histogram_value.num, e.histogram_value.min, e.histogram_value.max]
                   for e in plain.Histograms(tag)] for tag in plain.Tags()["histograms"]},
    "plugins": [*map(plugin, server.Tags()["tensors"])]}))
"""
TENSORBOARD = ROOT / "build" / "tensorboard"  # made by scripts/test_packages.sh
RUN = TINY | dict(EPOCHS=1, MAX_STEPS=50, LOGGING_STEPS=5, EVAL_STEPS=10, SAVE_STEPS=10)
CURVES = {"train/loss": ("log", "loss"), "train/grad_norm": ("log", "grad_norm"), "train/epoch": ("log", "epoch"),
          "train/learning_rate": ("log", "learning_rate"), "train/num_input_tokens_seen": ("log", "tokens"),
          "eval/loss": ("evaluation", "eval_loss")}
CLOCK = {"train/tokens_per_second", "train/share_of_peak", "eval/runtime"}


class TensorBoardTest(RunTest):
    settings = RUN

    def event_files(self, folder):
        return sorted((self.scene.folder / folder).glob("events.out.tfevents.*"))

    def read(self, folder):
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TENSORBOARD)}
        done = subprocess.run([sys.executable, "-B", "-c", READ, self.scene.folder / folder], text=True, env=environment,
                              capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def curves(self, folder):
        """{tag: [[step, value]]}, the same from both readers."""
        read = self.read(folder)
        self.assertEqual(read["plain"], read["server"])
        self.assertEqual(set(read["plugins"]), {"scalars"})
        return read["plain"]

    def assert_are_those_of_metrics(self, folder):
        curves = self.curves(folder)
        lines = [json.loads(line) for line in (self.scene.folder / folder / "metrics.jsonl").read_text().splitlines()]
        for tag, (event, name) in CURVES.items():
            expected = [[line["step"], line[name]] for line in lines if line["event"] == event]
            self.assertEqual([step for step, _ in curves[tag]], [step for step, _ in expected], tag)
            for (step, value), (_, other) in zip(curves[tag], expected):
                self.assertAlmostEqual(value, other, delta=1e-6 * abs(other), msg=f"{tag} at {step}")
        best = lines[0]["best_loss"]
        for tag, event, name in (("train/excess_loss", "log", "loss_per_prediction"),
                                 ("eval/excess_loss", "evaluation", "eval_loss_per_prediction")):
            expected = [line[name] - best for line in lines if line["event"] == event]
            self.assertEqual(len(curves[tag]), len(expected), tag)
            for (step, value), other in zip(curves[tag], expected):
                self.assertAlmostEqual(value, other, delta=1e-6, msg=f"{tag} at {step}")
        self.assertEqual(set(curves), {*CURVES, *CLOCK, "train/excess_loss", "eval/excess_loss"})
        self.assertEqual([step for step, _ in curves["train/share_of_peak"]], list(range(5, 51, 5)))
        self.assertTrue(all(0 < value < 1.5 for _, value in curves["train/share_of_peak"]))
        return {tag: values for tag, values in curves.items() if tag not in CLOCK}

    def kill_after(self, folder, step):
        """Leaves of a finished run what a kill some steps after the checkpoint of `step` would have left."""
        path = self.scene.folder / folder
        for name in ("strider_run.json", "trainer_state.json"):
            (path / name).unlink(missing_ok=True)
        for checkpoint in path.glob("checkpoint-*"):
            if int(checkpoint.name.split("-")[1]) > step:
                subprocess.run(["rm", "-r", checkpoint], check=True)

    def test_a_run_in_several_sittings_has_the_curves_of_an_unbroken_one(self):
        self.train("unbroken", SAVE_TOTAL_LIMIT="all")
        whole = self.assert_are_those_of_metrics("unbroken")
        self.assertEqual(len(self.event_files("unbroken")), 1)
        self.train("broken", SAVE_TOTAL_LIMIT="all")
        for sittings, step in ((2, 40), (3, 20), (4, 30)):  # also from a checkpoint before the last sitting's first
            newest = self.event_files("broken")[-1]
            newest.write_bytes(newest.read_bytes()[:-7])  # killed while it wrote a record
            self.kill_after("broken", step)
            text = self.train("broken", SAVE_TOTAL_LIMIT="all")
            self.assertIn(f"Going on after step {step}", text)
            self.assertEqual(len(self.event_files("broken")), sittings)
            self.assertEqual(self.assert_are_those_of_metrics("broken"), whole)
        before = self.scene.files()
        self.train("broken", SAVE_TOTAL_LIMIT="all")  # finished: nothing is written
        self.assertEqual(self.scene.files(), before)

    def test_a_run_that_replaces_another_has_its_own_curves_alone(self):
        self.train("replaced", MAX_STEPS=60)
        self.train("replaced", OVERWRITE="true", LEARNING_RATE=1e-3)
        self.assert_are_those_of_metrics("replaced")
        self.assertEqual(len(self.event_files("replaced")), 1)

    def test_histograms_of_weights_and_gradients(self):
        few = dict(MAX_STEPS=20, HISTOGRAM_STEPS=5, SAVE_TOTAL_LIMIT="all")
        self.train("histograms", **few)
        self.kill_after("histograms", 10)
        self.assertIn("Going on after step 10", self.train("histograms", **few))
        read = self.read("histograms")
        with safe_open(self.scene.folder / "histograms/checkpoint-20/model.safetensors", "np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        self.assertEqual(set(read["histograms"]), {f"{kind}/{name}" for kind in ("weights", "gradients") for name in tensors})
        for tag, entries in read["histograms"].items():
            self.assertEqual([step for step, _ in entries], [5, 10, 15, 20], tag)
            self.assertEqual([step for step, *_ in read["kept"][tag]], [5, 10, 15, 20], tag)
            size = tensors[tag.split("/", 1)[1]].size
            for _, buckets in entries:
                self.assertEqual(sum(count for _, _, count in buckets), size, tag)
        for name, values in tensors.items():
            _, count, least, most = read["kept"][f"weights/{name}"][-1]
            self.assertEqual((count, least, most), (values.size, values.min(), values.max()), name)
            for left, right, count in read["histograms"][f"weights/{name}"][-1][1]:
                # Limits come as float32, and the last bucket has its right end.
                within = lambda slack: ((values >= left - slack) & (values <= right + slack)).sum()
                slack = 1e-6 * max(abs(left), abs(right))
                self.assertTrue(within(-slack) <= count <= within(slack), f"{name}: {left} to {right}")
        # They change no result.
        self.train("no histograms", MAX_STEPS=20)
        weights = [self.scene.folder / f"{out}/final_model/model.safetensors" for out in ("histograms", "no histograms")]
        self.assertEqual(weights[0].read_bytes(), weights[1].read_bytes())
        self.assertIn("REPORT_TO=none", self.train("nowhere", 1, HISTOGRAM_STEPS=5, REPORT_TO="none"))

    def test_in_a_folder_of_their_own_or_not_at_all(self):
        self.train("elsewhere", LOG_DIR="new/logs", REPORT_TO="tensorboard")
        self.assertFalse(self.event_files("elsewhere"))
        self.assert_are_those_of_metrics("new/logs")
        self.train("without", REPORT_TO="none", MAX_STEPS=10)
        self.assertFalse(self.event_files("without"))
        self.assertTrue((self.scene.folder / "without/metrics.jsonl").exists())
        self.assertIn("one of all, tensorboard, none", self.train("wrong", 1, REPORT_TO="wandb"))


if __name__ == "__main__":
    unittest.main()
