"""Representations and geometry of a model on its way: during training, from its checkpoints, in what shows them."""
import json
import os
import shutil
import subprocess
import sys
import unittest

import numpy as np
from scene import ROOT, TINY, RunTest

PROGRAM = os.environ["STRIDER"]
FOLDER = "representations_by_step"
STEPS = [0, 5, 10, 15, 20, 23]
READ_TENSORBOARD = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
"""
# Pictures of points, which need PIL, are not asked for.
SERVE_PROJECTOR = """
import json, sys, types
sys.modules["PIL"] = types.ModuleType("PIL")
sys.modules["PIL"].Image = None
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.projector import projector_plugin
from werkzeug import test, wrappers
multiplexer = plugin_event_multiplexer.EventMultiplexer()
multiplexer.AddRunsFromDirectory(sys.argv[1])
multiplexer.Reload()
plugin = projector_plugin.ProjectorPlugin(base_plugin.TBContext(
    logdir=sys.argv[1], multiplexer=multiplexer, data_provider=data_provider.MultiplexerDataProvider(multiplexer, sys.argv[1])))
apps = plugin.get_plugin_apps()
def get(app, **query):
    return test.Client(apps[app], wrappers.Response).get("/", query_string=query)
print(json.dumps(dict(runs=json.loads(get("/runs").data), info=json.loads(get("/info", run=".").data),
                      metadata=get("/metadata", run=".", name=sys.argv[2]).data.decode(),
                      tensor=get("/tensor", run=".", name=sys.argv[2]).data.hex())))
"""


def in_tensorboard(script, *arguments):
    done = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], text=True, capture_output=True, timeout=120,
                          env=os.environ | {"PYTHONPATH": str(ROOT / "build/tensorboard"),
                                            "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


class SnapshotsTest(RunTest):
    settings = TINY | dict(MAX_STEPS=23, EVAL_STEPS=5, SAVE_STEPS=5, SAVE_TOTAL_LIMIT="all", REPRESENTATION_STEPS=5,
                           GEOMETRY_STEPS=10)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = cls.scene.run("02a_model_training.sh", **(cls.settings | dict(OUTPUT_DIR="run")))
        assert done.returncode == 0, done.stdout + done.stderr
        cls.said = done.stdout

    def copy(self, name):
        folder = self.scene.folder / name
        shutil.copytree(self.scene.folder / "run", folder)
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def call(self, *arguments, code=0):
        done = subprocess.run([PROGRAM, *map(str, arguments)], cwd=self.scene.folder, capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def steps_in(self, folder):
        index = json.loads((folder / "index.json").read_text())
        self.assertEqual({entry["file"] for entry in index["steps"]}, {path.name for path in folder.glob("*.npz")})
        return [entry["step"] for entry in index["steps"]]

    def bytes_in(self, folder):
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def test_each_step_is_what_extract_gives_of_its_checkpoint(self):
        folder = self.scene.folder / "run" / FOLDER
        self.assertEqual(self.steps_in(folder), STEPS)
        for step in (5, 20, 23):
            out = self.scene.folder / f"alone {step}"
            self.call("extract", "--model_dir", f"run/checkpoint-{step}", "--output_dir", out)
            self.assertEqual((out / "token_representations.npz").read_bytes(), (folder / f"step-{step}.npz").read_bytes())
        tokens = json.loads((folder / "token_metadata.json").read_text())
        with np.load(folder / "step-0.npz") as arrays:
            self.assertEqual(sorted(arrays), ["final_hidden", "input_embeds", "layer_0_after_block", "layer_1_after_block"])
            self.assertEqual(arrays["input_embeds"].shape, (len(tokens), 32))

    def test_extract_makes_the_same_of_the_checkpoints(self):
        run = self.copy("from checkpoints")
        there = self.bytes_in(run / FOLDER)
        self.assertIn("0 of 6 steps are new", self.call("extract", "--checkpoints", "--model_dir", run / "final_model"))
        self.assertEqual(self.bytes_in(run / FOLDER), there)
        shutil.rmtree(run / FOLDER)
        self.call("extract", "--checkpoints", "--model_dir", run)  # which ends with step 23, the last one's checkpoint
        self.assertEqual(self.bytes_in(run / FOLDER), there)
        # A kill between a step's file and its line in the index: the next call writes that step again.
        index = json.loads((run / FOLDER / "index.json").read_text())
        index["steps"].pop()
        (run / FOLDER / "index.json").write_text(json.dumps(index))
        (run / FOLDER / "step-23.npz").write_bytes(b"torn")
        told = json.loads(self.call("extract", "--checkpoints", "--model_dir", run, "--json"))
        self.assertEqual((told["steps"], told["written"], told["notices"]), (STEPS, 1, []))
        self.assertEqual(self.bytes_in(run / FOLDER), there)

    def test_what_cannot_be_used_is_said(self):
        run = self.copy("damaged")
        weights = run / "checkpoint-10/model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1])
        shutil.rmtree(run / FOLDER)
        self.assertIn("checkpoint-10 is left out", self.call("extract", "--checkpoints", "--model_dir", run))
        self.assertEqual(self.steps_in(run / FOLDER), [0, 5, 15, 20, 23])
        self.assertIn("other types: after_block, and ffn_up is asked for",
                      self.call("extract", "--checkpoints", "--model_dir", run, "--representations", "ffn_up", code=1))
        self.call("extract", "--checkpoints", "--model_dir", run, "--representations", "ffn_up", "--overwrite")
        for checkpoint in run.glob("checkpoint-*"):  # as Hugging Face's Trainer leaves them
            (checkpoint / "strider_state.json").unlink()
        shutil.rmtree(run / FOLDER)
        shutil.rmtree(run / "checkpoint-10")
        self.assertIn("Step 0 is left out", self.call("extract", "--checkpoints", "--model_dir", run))
        self.assertEqual(self.steps_in(run / FOLDER), [5, 15, 20, 23])
        self.assertIn("no checkpoints", self.call("extract", "--checkpoints", "--model_dir", run / FOLDER, code=1))
        self.assertIn("not of a run", self.call("extract", "--checkpoints", "--model_dir", run / "checkpoint-5", code=1))
        self.assertIn("UPSAMPLE", self.call("extract", "--checkpoints", "--model_dir", run, "--upsample", 2, code=1))
        (run / FOLDER / "index.json").write_text("{}")
        self.assertIn("index.json", self.call("extract", "--checkpoints", "--model_dir", run, code=1))

    def test_a_run_that_goes_on_has_the_files_of_an_unbroken_one(self):
        run = self.copy("broken")
        for name in ("strider_run.json", "trainer_state.json"):
            (run / name).unlink()
        for step in (15, 20, 23):
            shutil.rmtree(run / f"checkpoint-{step}")
        (run / FOLDER / "step-15.npz").write_bytes(b"of a run that was killed later")
        self.assertIn("Going on after step 10", self.train("broken"))
        self.assertEqual(self.bytes_in(run / FOLDER), self.bytes_in(self.scene.folder / "run" / FOLDER))
        geometry = [[line for line in self.lines(folder)] for folder in ("run", "broken")]
        self.assertEqual(*geometry)

    def lines(self, folder):
        for text in (self.scene.folder / folder / "metrics.jsonl").read_text().splitlines():
            line = json.loads(text)
            if line["event"] == "geometry":
                yield line["step"], line["arrays"]

    def test_a_run_that_begins_anew_has_its_own_steps_alone(self):
        run = self.copy("anew")
        self.train("anew", OVERWRITE="true", MAX_STEPS=8, SEED=7)
        self.assertEqual(self.steps_in(run / FOLDER), [0, 5, 8])
        self.train("anew", OVERWRITE="true", MAX_STEPS=8, SEED=8, REPRESENTATION_STEPS=0)
        self.assertFalse((run / FOLDER).exists())

    def test_they_change_no_result(self):
        self.train("bare", REPRESENTATION_STEPS=0, GEOMETRY_STEPS=0)
        weights = [(self.scene.folder / f"{run}/final_model/model.safetensors").read_bytes() for run in ("bare", "run")]
        self.assertEqual(*weights)

    def test_geometry_is_what_measure_gives(self):
        lines = dict(self.lines("run"))
        self.assertEqual(list(lines), [0, 10, 20, 23])
        curves = in_tensorboard(READ_TENSORBOARD, self.scene.folder / "run")
        for step in (10, 23):
            self.call("measure", f"run/{FOLDER}/step-{step}.npz", "--graph_dir", "results/torus_4x5/graph")
            measured = json.loads((self.scene.folder / f"run/{FOLDER}/step-{step}_geometry.json").read_text())
            self.assertEqual(len(measured["layers"]), 4)
            for layer in measured["layers"]:
                logged = lines[step][layer["array"]]
                self.assertEqual(len(logged), sum(layer[name] is not None for name in (
                    "neighbours", "within_two", "geodesic_correlation", "component_correlation", "rsa", "dirichlet_ratio",
                    "laplacian_alignment", "laplacian_variance", "probe_r2", "effective_dimension")))
                for name, value in logged.items():
                    self.assertEqual(value, layer[name], name)
                    points = dict(curves[f"geometry/{name}/{layer['array']}"])
                    self.assertAlmostEqual(points[step], value, delta=1e-6 * max(1, abs(value)))
            (self.scene.folder / f"run/{FOLDER}/step-{step}_geometry.json").unlink()
        self.assertIn("Step 20: geometry, each from its best layer: neighbours ", self.said)

    def test_a_graph_that_cannot_be_measured_is_refused_before_anything_is_made(self):
        before = self.scene.files()
        self.assertIn("Graph file not found", self.train("nowhere", 1, GRAPH_DIR="no such folder"))
        self.assertEqual(self.scene.files(), before)

    def test_the_projector_shows_them(self):
        run = self.copy("results/torus_4x5/shown")
        said = self.scene.must("02b_representation_extraction.sh", **(TINY | dict(
            MODEL_DIR=run / "final_model", REPRESENTATION_DIR=run / "token_representations", PROJECTOR="true", REPORT="false")))
        self.assertIn("For TensorBoard's Projector", said)
        shown = in_tensorboard(SERVE_PROJECTOR, run, "layer_1_after_block")
        self.assertEqual(shown["runs"], ["."])
        self.assertEqual([e["tensorName"] for e in shown["info"]["embeddings"]],
                         ["layer_1_after_block", "layer_0_after_block", "input_embeds", "final_hidden"])
        rows = shown["metadata"].splitlines()
        with np.load(run / "token_representations/token_representations.npz") as arrays:
            expected = arrays["layer_1_after_block"]
        self.assertEqual(rows[:3], ["token\trow\tcolumn", "0\t0\t0", "1\t0\t1"])
        self.assertEqual(len(rows), 1 + len(expected))
        np.testing.assert_allclose(np.frombuffer(bytes.fromhex(shown["tensor"]), "<f4").reshape(expected.shape), expected,
                                   rtol=1e-6)
        # Without a graph there are the tokens alone, and what somebody else wrote stays.
        away = self.copy("away")
        self.call("extract", "--model_dir", away / "final_model", "--output_dir", away / "vectors", "--projector_dir", away)
        self.assertEqual((away / "projector/metadata.tsv").read_text(), "".join(f"{i}\n" for i in range(20)))
        (away / "projector_config.pbtxt").write_text("embeddings {}")
        self.assertIn("not written by Strider", self.call(
            "extract", "--model_dir", away / "final_model", "--output_dir", away / "vectors", "--projector_dir", away, code=1))

    def test_the_report_shows_them(self):
        run = self.copy("reported")
        self.call("extract", "--model_dir", run / "final_model", "--output_dir", run / "token_representations")
        self.call("report", run, "--graph_dir", "results/torus_4x5/graph")
        page = (run / "report.html").read_text()
        data = json.loads(page.split('<script type="application/json" id="data">')[1].split("</script>")[0])
        surface = data["runs"][0]["surface"]
        self.assertEqual([step["step"] for step in surface["steps"]], STEPS)
        self.assertEqual([frame["array"] for frame in surface["steps"][0]["frames"]],
                         ["input_embeds", "layer_0_after_block", "layer_1_after_block", "final_hidden"])
        self.assertEqual([line["step"] for line in surface["geometry_by_step"]], [0, 10, 20, 23])
        # Without them in the log they are computed.
        logged = {line["step"]: line["arrays"] for line in surface["geometry_by_step"]}
        log = run / "metrics.jsonl"
        log.write_text("".join(line for line in log.read_text().splitlines(True) if '"geometry"' not in line))
        self.call("report", run, "--graph_dir", "results/torus_4x5/graph")
        page = (run / "report.html").read_text()
        data = json.loads(page.split('<script type="application/json" id="data">')[1].split("</script>")[0])
        computed = {line["step"]: line["arrays"] for line in data["runs"][0]["surface"]["geometry_by_step"]}
        self.assertEqual(list(computed), STEPS)
        self.assertEqual({step: computed[step] for step in logged}, logged)
        (run / FOLDER / "step-5.npz").write_bytes(b"torn")
        self.assertIn("Step 5", self.call("report", run, "--graph_dir", "results/torus_4x5/graph"))


if __name__ == "__main__":
    unittest.main()
