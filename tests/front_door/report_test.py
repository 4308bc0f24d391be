"""strider report: what is in the page, and what it says of runs that are still going, moved, damaged or bare."""
import base64
import json
import os
import re
import shutil
import subprocess
import unittest

import numpy as np
from scene import TINY, Scene

PROGRAM = os.environ["STRIDER"]
RUN = "results/torus_4x5/tiny"
SETTINGS = TINY | dict(MAX_STEPS=12, EVAL_STEPS=4, SAVE_STEPS=4, SAVE_TOTAL_LIMIT="all", LOGGING_STEPS=2)


def setUpModule():
    global scene, said
    scene = Scene()
    scene.make_dataset()
    scene.must("02a_model_training.sh", **SETTINGS)
    said = scene.must("02b_representation_extraction.sh", **SETTINGS, REPRESENTATIONS="after_block ffn_up")


def tearDownModule():
    scene.close()


def call(*arguments):
    return subprocess.run([PROGRAM, "report", *map(str, arguments)], cwd=scene.folder, capture_output=True, text=True,
                          timeout=120)


def page_of(file):
    return (scene.folder / file).read_text()


def data_of(file):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page_of(file), re.S)[1])


def numbers(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


class ReportTest(unittest.TestCase):
    def copy(self, name="copy"):
        """The run under another name, beside it."""
        folder = scene.folder / f"results/torus_4x5/{name}"
        shutil.copytree(scene.folder / RUN, folder)
        self.addCleanup(shutil.rmtree, folder)
        (folder / "report.html").unlink()
        return folder

    def must(self, *arguments):
        done = call(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def refused(self, words, *arguments):
        before = scene.files()
        done = call(*arguments)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(words, done.stderr)
        self.assertEqual(scene.files(), before)


class PageTest(ReportTest):
    def test_02b_writes_it(self):
        self.assertIn("Report: ./results/torus_4x5/tiny/report.html", said)
        page = page_of(f"{RUN}/report.html")
        self.assertLess(len(page), 5_000_000)
        # One file that asks for nothing: no address of a script, style or picture, and the browser is told to refuse any.
        self.assertNotRegex(page, r"<(script|link|img|iframe)[^>]* (src|href)=")
        self.assertIn("default-src 'none'", page)
        self.assertEqual(data_of(f"{RUN}/report.html")["runs"][0]["missing"], [])
        self.assertNotIn("Not shown", said)

    def test_the_same_run_gives_the_same_page_and_nothing_else(self):
        before = scene.files()
        for threads in (1, 2):
            self.must(RUN, "--threads", threads)
        after = scene.files()
        self.assertEqual(len(before), len(after))
        self.assertEqual(call(RUN, "--output", "again.html").returncode, 0)
        self.assertEqual(page_of("again.html"), page_of(f"{RUN}/report.html"))
        (scene.folder / "again.html").unlink()

    def test_without_a_page(self):
        folder = self.copy()
        done = scene.must("02b_representation_extraction.sh", **SETTINGS, MODEL_DIR=folder / "final_model", REPORT="false",
                          REPRESENTATION_DIR=folder / "token_representations", REPRESENTATIONS="after_block ffn_up")
        self.assertNotIn("Report:", done)
        self.assertFalse((folder / "report.html").exists())
        self.assertEqual(scene.run("02b_representation_extraction.sh", **SETTINGS, REPORT="maybe").returncode, 1)

    def test_curves_are_those_of_the_log(self):
        run = data_of(f"{RUN}/report.html")["runs"][0]
        lines = [json.loads(line) for line in (scene.folder / RUN / "metrics.jsonl").read_text().splitlines()]
        logs = [line for line in lines if line["event"] == "log"]
        self.assertGreater(len(logs), 3)
        loss = run["curves"]["loss"]
        np.testing.assert_allclose(numbers(loss["value"], "<f4"), [line["loss_per_prediction"] for line in logs], rtol=1e-6)
        np.testing.assert_allclose(numbers(loss["step"], "<f4"), [line["step"] for line in logs])
        np.testing.assert_allclose(numbers(loss["tokens"], "<f4"), [line["tokens"] for line in logs])
        evaluations = [line for line in lines if line["event"] == "evaluation"]
        curve = run["curves"]["evaluation"]
        np.testing.assert_allclose(numbers(curve["value"], "<f4"), [e["eval_loss_per_prediction"] for e in evaluations],
                                   rtol=1e-6)
        self.assertTrue((np.diff(numbers(loss["seconds"], "<f4")) > 0).all())
        vocab = json.loads((scene.folder / "results/torus_4x5/dataset/vocab_info.json").read_text())
        self.assertAlmostEqual(run["lines"]["vocabulary"], np.log(20))
        self.assertAlmostEqual(run["lines"]["neighbours"], np.log(8))
        self.assertAlmostEqual(run["lines"]["best"], vocab["best_loss"])

    def test_points_are_principal_components(self):
        surface = data_of(f"{RUN}/report.html")["runs"][0]["surface"]
        arrays = np.load(scene.folder / RUN / "token_representations/token_representations.npz")
        self.assertEqual([frame["array"] for frame in surface["frames"]],
                         ["input_embeds", "layer_0_ffn_up", "layer_1_ffn_up", "layer_0_after_block", "layer_1_after_block",
                          "final_hidden"])
        for frame in surface["frames"]:
            x = arrays[frame["array"]].astype(float)
            x -= x.mean(0)
            u, s, _ = np.linalg.svd(x, full_matrices=False)
            expected = u[:, :3] * s[:3]
            points = numbers(frame["points"], "<i2").reshape(-1, 3) / 32767
            self.assertAlmostEqual(np.linalg.norm(points, axis=1).max(), 1, delta=1e-3)
            # Turned or not, all distances are those of the components, on one scale.
            def distances(p):
                return np.linalg.norm(p[:, None] - p[None], axis=-1)
            scale = np.linalg.norm(expected, axis=1).max()
            np.testing.assert_allclose(distances(points), distances(expected) / scale, atol=2e-4, err_msg=frame["array"])
            np.testing.assert_allclose(frame["shares"], s[:3] ** 2 / (s ** 2).sum(), atol=1e-4)

    def test_the_graph_and_its_geometry(self):
        surface = data_of(f"{RUN}/report.html")["runs"][0]["surface"]
        adjacency = np.load(scene.folder / "results/torus_4x5/graph/A_torus_4x5.npy")
        drawn = np.zeros_like(adjacency)
        edges = numbers(surface["edges"], "<u2").reshape(-1, 2)
        drawn[edges[:, 0], edges[:, 1]] += 1
        drawn[edges[:, 1], edges[:, 0]] += 1
        np.testing.assert_array_equal(drawn, adjacency)
        np.testing.assert_array_equal(numbers(surface["degrees"], "<u2"), adjacency.sum(0))
        np.testing.assert_array_equal(numbers(surface["rows"], "<i2"), np.arange(20) // 5)
        np.testing.assert_array_equal(numbers(surface["columns"], "<i2"), np.arange(20) % 5)
        coordinates = np.load(scene.folder / "results/torus_4x5/graph/coords_torus_4x5.npy")
        np.testing.assert_allclose(numbers(surface["angle"], "<f4"), np.arctan2(coordinates[:, 1], coordinates[:, 0]),
                                   atol=1e-6)
        measured = json.loads(subprocess.run([PROGRAM, "measure", RUN, "--json", "--output", "measured.json"],
                                             cwd=scene.folder, capture_output=True, text=True, check=True).stdout)
        (scene.folder / "measured.json").unlink()
        for shown, layer in zip(surface["geometry"]["layers"], measured["layers"], strict=True):
            self.assertEqual(shown["array"], layer["array"])
            self.assertAlmostEqual(shown["rsa"], layer["rsa"], places=5)

    def test_a_geometry_json_is_taken_while_it_fits(self):
        folder = self.copy()
        file = folder / "token_representations/geometry.json"
        subprocess.run([PROGRAM, "measure", folder], cwd=scene.folder, capture_output=True, check=True)
        geometry = json.loads(file.read_text())
        true = geometry["layers"][1]["rsa"]
        geometry["layers"][1]["rsa"] = 0.125
        shown = lambda: data_of(folder / "report.html")["runs"][0]["surface"]["geometry"]["layers"][1]["rsa"]
        file.write_text(json.dumps(geometry))
        self.must(folder)
        self.assertEqual(shown(), 0.125)
        geometry["layers"][0]["crc32"] = "00000000"  # of other representations
        for text in (json.dumps(geometry), "{", "7", json.dumps({"nodes": "x", "layers": 3})):
            file.write_text(text)
            self.must(folder)
            self.assertAlmostEqual(shown(), true, places=5)

    def test_what_the_model_believes(self):
        run = data_of(f"{RUN}/report.html")["runs"][0]
        beliefs = run["surface"]["beliefs"]
        self.assertEqual((beliefs["split"], beliefs["walks"], beliefs["window"]), ("validation", 100, 4))
        # All walks have 24 tokens and all of them are in the sample, so this is the run's own evaluation.
        losses = numbers(beliefs["losses"], "<f4")
        self.assertEqual(len(losses), 23)
        result = json.loads((scene.folder / RUN / "strider_run.json").read_text())["result"]
        self.assertAlmostEqual(losses.mean(), result["eval_loss_per_prediction"], places=4)
        neighbours, allowed = (numbers(beliefs[name], "<f4") for name in ("neighbours", "allowed"))
        self.assertTrue(((0 < allowed) & (allowed <= neighbours + 1e-6) & (neighbours < 1)).all())
        self.assertAlmostEqual(neighbours[0], allowed[0] , places=6)  # nothing is behind the first node
        self.assertTrue(np.isfinite(numbers(beliefs["node_losses"], "<f4")).all())
        adjacency = np.load(scene.folder / "results/torus_4x5/graph/A_torus_4x5.npy")
        for walk in beliefs["played"]:
            nodes = numbers(walk["nodes"], "<u2")
            self.assertTrue(adjacency[nodes[:-1], nodes[1:]].all())

    def test_facts_document_the_run(self):
        groups = {group["title"]: dict(group["rows"]) for group in data_of(f"{RUN}/report.html")["runs"][0]["facts"]}
        self.assertEqual(groups["Run"]["State"], "finished")
        self.assertEqual(groups["Run"]["Steps"], "12")
        self.assertEqual(groups["Settings"]["batch_size"], "16")
        self.assertEqual(groups["Data"]["Walks in all"], "2,000")
        self.assertEqual(groups["Model"]["Hidden size"], "32")
        self.assertTrue(groups["Machine and versions"]["Processor"])
        self.assertTrue(groups["Machine and versions"]["Strider that trained"])
        self.assertIn("Tokens per second", groups["Times"])

    def test_several_runs(self):
        folder = self.copy("other run")
        self.must(RUN, folder)
        self.assertEqual([run["name"] for run in data_of("report.html")["runs"]], ["tiny", "other run"])
        (scene.folder / "report.html").unlink()

    def test_a_name_that_is_html(self):
        folder = self.copy("<b>&<!--<script>")
        self.must(folder)
        self.assertEqual(page_of(folder / "report.html").count("<script"), page_of(f"{RUN}/report.html").count("<script"))
        self.assertEqual(data_of(folder / "report.html")["runs"][0]["name"], folder.name)


class BadInputTest(ReportTest):
    def missing_of(self, folder, *arguments):
        """What a report of the folder names, on the screen and in the page."""
        printed = re.findall(r"^Not shown: (.*)$", self.must(folder, *arguments), re.M)
        self.assertEqual(printed, data_of(folder / "report.html")["runs"][0]["missing"])
        return "\n".join(printed)

    def test_a_run_that_is_still_going(self):
        folder = self.copy()
        (folder / "strider_run.json").unlink()
        (folder / "trainer_state.json").unlink()
        shutil.rmtree(folder / "final_model")
        shutil.rmtree(folder / "token_representations")
        metrics = folder / "metrics.jsonl"
        metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:-3]) + '{"event": "lo')
        missing = self.missing_of(folder)
        for words in ("still going", "The surface", "no token representations", "has no end"):
            self.assertIn(words, missing)
        run = data_of(folder / "report.html")["runs"][0]
        self.assertGreater(len(numbers(run["curves"]["loss"]["value"], "<f4")), 3)
        self.assertIsNone(run["surface"])
        self.assertIn("Settings", [group["title"] for group in run["facts"]])  # of its newest checkpoint

    def test_a_run_that_was_moved(self):
        folder = scene.folder / "elsewhere"
        shutil.copytree(scene.folder / RUN, folder)
        self.addCleanup(shutil.rmtree, folder)
        done = subprocess.run([PROGRAM, "report", "."], cwd=folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("The data: the dataset is neither", done.stdout)
        self.assertIn("The surface: There is no folder graph/", done.stdout)
        self.assertEqual(data_of("elsewhere/report.html")["runs"][0]["name"], "elsewhere")
        graph, data = (scene.folder / "results/torus_4x5" / name for name in ("graph", "dataset"))
        self.assertEqual(self.missing_of(folder, "--graph_dir", graph, "--dataset_dir", data), "")

    def test_damaged_files(self):
        folder = self.copy()
        whole = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        npz = folder / "token_representations/token_representations.npz"
        for file, damage, words in (
                (folder / "strider_run.json", b"{", "Settings and results"),
                (folder / "final_model/config.json", b"[]", "The model's shape"),
                (folder / "final_model/model.safetensors", b"x" * 100, "What the model believes"),
                (folder / "metrics.jsonl", b"", "empty"),
                (folder / "metrics.jsonl", b"\xff\n" + whole[folder / "metrics.jsonl"], "line 1 of"),
                (npz, b"PK", "The surface"),
                (npz, whole[npz][:-2000], "The surface"),
                (folder / "token_representations/token_metadata.json", b"3", "The surface")):
            file.write_bytes(damage)
            self.assertIn(words, self.missing_of(folder), file)
            file.write_bytes(whole[file])
        self.assertEqual(self.missing_of(folder), "")

    def test_representations_of_another_model(self):
        folder = self.copy()
        shutil.copy(folder / "checkpoint-4/model.safetensors", folder / "final_model/model.safetensors")
        self.assertIn("not those of this model: the weights in", self.missing_of(folder))

    def test_without_metrics(self):
        folder = self.copy()
        (folder / "metrics.jsonl").unlink()
        self.assertIn("by token and by second", self.missing_of(folder))

    def test_folders_that_are_no_run(self):
        self.refused("no such folder", "nowhere")
        self.refused("It has runs in it: results/torus_4x5/tiny", "results/torus_4x5")
        self.refused("nothing of a run", "configs")
        self.refused("no folder of a run", f"{RUN}/metrics.jsonl")
        self.assertEqual(call().returncode, 2)

    def test_outputs_that_cannot_be_written(self):
        self.refused("this is a folder", RUN, "--output", "results")
        self.refused("metrics.jsonl", RUN, "--output", f"{RUN}/metrics.jsonl/report.html")


if __name__ == "__main__":
    unittest.main()
