"""Sweeps on the cores of this machine, run by the real Snakemake."""
import csv
import json
import os
import signal
import subprocess
import time
import unittest

from pyarrow import parquet
from scene import ROOT, Scene


class SweepTest(unittest.TestCase):
    def setUp(self):
        self.scene = Scene()
        self.addCleanup(self.scene.close)

    def refused(self, *texts):
        status, text = self.scene.run()
        self.assertEqual(status, 1, text)
        for expected in texts:
            self.assertIn(expected, text)
        self.assertNotIn("Traceback", text)

    def rows(self, name="sweep.csv"):
        with open(self.scene.folder / "results" / name) as file:
            return list(csv.DictReader(file))

    def test_a_sweep_is_what_the_scripts_make_by_hand(self):
        self.scene.write()
        text = self.scene.must()
        self.assertIn("4 runs are finished", text)
        rows = self.rows()
        self.assertEqual([(row["graph"], row["seed"]) for row in rows],
                         [("torus_4x5", "1"), ("torus_4x5", "2"), ("klein_x_4x5", "1"), ("klein_x_4x5", "2")])
        by_hand = Scene()
        self.addCleanup(by_hand.close)
        variables = dict(TOPOLOGY="klein_x", H="4", W="5", CONFIG="config_tiny.json", SEED="2", MAX_SEQS="600",
                         MAX_LENGTH="24", NO_REPEAT_WINDOW="4", MAX_STEPS="20", EVAL_STEPS="10", BATCH_SIZE="8",
                         WARMUP_STEPS="2")
        for script in ("01a_graph_generation", "01b_sequence_generation", "01c_dataset_preparation",
                       "02a_model_training", "02b_representation_extraction"):
            own = {**variables, "SEED": "42"} if script.startswith("01") else variables
            subprocess.run([ROOT / f"{script}.sh"], cwd=by_hand.folder, env={**os.environ, **own}, check=True,
                           stdout=subprocess.DEVNULL)
        run = self.scene.run_folder("klein_x_4x5", 2)
        hand = by_hand.folder / "results/klein_x_4x5/tiny"
        for file in ("final_model/model.safetensors", "token_representations/token_representations.npz"):
            self.assertEqual((run / file).read_bytes(), (hand / file).read_bytes(), file)
        loss = json.loads((hand / "strider_run.json").read_text())["result"]["eval_loss_per_prediction"]
        self.assertEqual(float(rows[3]["eval_loss"]), loss)
        self.assertAlmostEqual(float(rows[3]["excess"]), loss - float(rows[3]["best_possible_loss"]), places=12)
        table = parquet.read_table(self.scene.folder / "results/sweep.parquet").to_pylist()
        self.assertEqual([str(row["eval_loss"]) for row in table], [row["eval_loss"] for row in rows])
        for measure in ("neighbours", "geodesic_correlation", "rsa", "on_neighbours", "sampled_on_edges"):
            self.assertTrue(0 <= float(rows[0][measure].replace("-", "")) <= 1, measure)
        page = (self.scene.folder / "results/sweep.html").read_text()
        for name in ("tiny_reference_plain_1", "tiny_reference_plain_2"):
            self.assertIn(name, page)
        # Each shared step was made once, and nothing is left to do.
        self.assertEqual(len(list((self.scene.folder / "results").rglob("dataset/vocab_info.json"))), 2)
        before = self.scene.digests()
        self.assertIn("Nothing to be done", self.scene.must())
        self.assertEqual(self.scene.digests(), before)

    def test_resources_are_those_of_the_plan(self):
        self.scene.write(surfaces=["torus"], seeds=[1])
        text = self.scene.must()
        plan = json.loads((self.scene.run_folder("torus_4x5", 1) / "plan.json").read_text())["plan"]
        self.assertEqual(plan["max_steps"], 20)
        memory = int(plan["memory_bytes"] / 1e6 * 1.1) + 300
        train = text[text.index("rule train:"):]
        self.assertIn(f"mem_mb={memory}", train[:train.index("Finished")])

    def test_more_of_a_sweep_is_added_to_what_is_there(self):
        self.scene.write(surfaces=["torus"], seeds=[1])
        self.scene.must()
        model = self.scene.run_folder("torus_4x5", 1) / "final_model/model.safetensors"
        before = model.stat().st_mtime_ns
        self.scene.write(surfaces=["torus"], seeds=[1, 2], training={"plain": {}, "fast": {"LEARNING_RATE": 0.01}})
        text = self.scene.must()
        self.assertRegex(text, r"train +3\n")
        self.assertEqual(model.stat().st_mtime_ns, before)
        self.assertEqual(len(self.rows()), 4)

    def test_a_run_that_fails_is_named_and_the_others_are_finished(self):
        self.scene.write(surfaces=["torus"], training={"good": {}, "bad": {"LEARNING_RATE": "1e30", "MAX_GRAD_NORM": 0}})
        status, text = self.scene.run()
        self.assertEqual(status, 1)
        for seed in (1, 2):
            self.assertIn(f"Not finished: train of torus_4x5/short/tiny_reference_bad_{seed}", text)
        self.assertIn("is not a finite number", text)
        self.assertIn("2 of 4 runs are finished", text)
        self.assertEqual({row["training"] for row in self.rows("sweep_unfinished.csv")}, {"good"})
        # Without them the sweep is whole, and the table of the others is gone.
        self.scene.write(surfaces=["torus"], training={"good": {}})
        self.scene.must()
        self.assertEqual(len(self.rows()), 2)
        self.assertFalse((self.scene.folder / "results/sweep_unfinished.csv").exists())

    def test_what_was_made_with_other_settings_is_not_replaced(self):
        self.scene.write(surfaces=["torus"])
        self.scene.must()
        before = self.scene.digests()
        settings = {"MAX_STEPS": 30, "EVAL_STEPS": 10, "BATCH_SIZE": 8, "WARMUP_STEPS": 2}
        self.scene.write(surfaces=["torus"], settings=settings)
        self.refused("results/torus_4x5/short/tiny_reference_plain_1: MAX_STEPS was 20, is 30", "a name of their own")
        self.scene.write(surfaces=["torus"], walks={"short": {"MAX_SEQS": 700, "MAX_LENGTH": 24, "NO_REPEAT_WINDOW": 4}})
        self.refused("results/torus_4x5/short/dataset: MAX_SEQS was 600, is 700")
        self.assertEqual(self.scene.digests(), before)

    def test_an_interrupted_sweep_goes_on_from_its_checkpoints(self):
        many = {"MAX_STEPS": 8000, "EVAL_STEPS": 200, "BATCH_SIZE": 8}  # seconds: it is interrupted after one
        self.scene.write(surfaces=["torus"], seeds=[1], settings=many)
        process = self.scene.start("--cores", "2")
        run = self.scene.run_folder("torus_4x5", 1)
        until = time.monotonic() + 120
        while not list(run.glob("checkpoint-*")):
            self.assertLess(time.monotonic(), until, "no checkpoint came")
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C reaches the run as well
        text = process.communicate()[0]
        self.assertFalse((run / "strider_run.json").exists(), "the run was finished before it was killed:\n" + text)
        self.scene.must()
        log = (self.scene.folder / "results/logs/torus_4x5/short/tiny_reference_plain_1/train.log").read_text()
        self.assertIn("Going on after step", log)
        undisturbed = Scene()
        self.addCleanup(undisturbed.close)
        undisturbed.write(surfaces=["torus"], seeds=[1], settings=many)
        undisturbed.must()
        self.assertEqual(self.scene.digests(), undisturbed.digests())

    def test_a_graph_of_ones_own(self):
        (self.scene.folder / "club.csv").write_text("".join(f"n{i},n{(i + step) % 20}\n" for i in range(20) for step in (1, 3)))
        self.scene.write(surfaces=None, sizes=None, graphs={"club": {"GRAPH_FROM": "club.csv"}}, seeds=[1])
        self.scene.must()
        self.assertEqual(self.rows()[0]["graph"], "club_1x1")
        self.scene.write(surfaces=None, sizes=None, graphs={"club": {"GRAPH_FROM": "clubs.csv"}}, seeds=[1])
        self.refused("graphs: club: there is no file clubs.csv")

    def test_bad_sweeps_are_refused_with_the_place_and_what_to_do(self):
        for changes, texts in [
            (dict(surfaces=["tours"]), ["surfaces: there is no tours", "klein_x"]),
            (dict(presets=["3M_llama"]), ["presets: there is no", "400K_llama"]),
            (dict(presets=["config_none.json"]), ["presets: there is no config_none.json"]),
            (dict(settings={"MAXSTEPS": 3}), ["settings: the scripts that this is for have no variable MAXSTEPS"]),
            (dict(walks={"w": {"BATCH_SIZE": 3}}), ["walks: w: the scripts that this is for have no variable BATCH_SIZE"]),
            (dict(training={"t": {"MAX_SEQS": 3}}), ["training: t: the scripts", "MAX_SEQS"]),
            (dict(settings={"OUTPUT_DIR": "x"}), ["settings: OUTPUT_DIR is not for a sweep to set", "under results"]),
            (dict(settings={"SEED": 3}), ["say seeds"]),
            (dict(seeds=[]), ["seeds: "]),
            (dict(sizes=["4*5"]), ["sizes: 0: '4*5' does not match"]),
            (dict(seed=[1]), ["'seed' was unexpected", "workflow/sweep.yaml"]),
            (dict(surfaces=None, sizes=None), ["names no graph"]),
            (dict(training={"a/b": {}}), ["training", "a/b"]),
        ]:
            with self.subTest(changes):
                self.scene.write(**changes)
                self.refused(*texts)
                self.assertFalse((self.scene.folder / "results").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
