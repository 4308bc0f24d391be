"""Several surfaces at once in 01a, and all 13 through the chain: token id and row belong together in every file."""
import importlib.util
import json
import os
import subprocess
import unittest

import numpy

from scene import ROOT, Scene

SURFACES = ("plane cylinder_x cylinder_y mobius_x mobius_y torus klein_x klein_y proj_plane sphere_two hemisphere_n hemisphere_s "
            "sphere").split()
SIZE = dict(H=4, W=5)
SMALL = SIZE | dict(RUN_NAME="tiny", MAX_SEQS=100, MAX_LENGTH=12, NO_REPEAT_WINDOW=2, BATCH_SIZE=20, MAX_STEPS=2, EVAL_STEPS=2,
                    SAVE_STEPS=2, LOGGING_STEPS=1, THREADS=1)


class ListTest(unittest.TestCase):
    def setUp(self):
        self.scene = Scene()
        self.addCleanup(self.scene.close)

    def made(self):
        return {path.relative_to(self.scene.folder).as_posix() for path in self.scene.folder.rglob("*") if path.is_file()
                and path.suffix != ".json"}

    def test_a_folder_each_as_if_each_had_been_called(self):
        said = self.scene.must("01a_graph_generation.sh", **SIZE, TOPOLOGY="plane, klein_x")
        together = self.scene.files()
        self.assertEqual(sorted(path.name for path in (self.scene.folder / "results").iterdir()), ["klein_x_4x5", "plane_4x5"])
        for name in ("plane", "klein_x"):
            self.scene.must("01a_graph_generation.sh", **SIZE, TOPOLOGY=name)
        self.assertEqual(self.scene.files(), together)
        command = next(line for line in said.splitlines() if line.startswith("  for t in"))
        self.paste(command, MAX_SEQS=3)
        for name in ("plane_4x5", "klein_x_4x5"):
            self.assertTrue((self.scene.folder / f"results/{name}/sequences/walks_{name}.csv").exists())

    def test_all_in_graph_dir(self):
        said = self.scene.must("01a_graph_generation.sh", **SIZE, TOPOLOGY="all", GRAPH_DIR="my graphs")
        self.assertEqual([path.name for path in self.scene.folder.iterdir() if path.name != "configs"], ["my graphs"])
        for name in SURFACES:
            self.assertTrue((self.scene.folder / f"my graphs/A_{name}_4x5_labeled.csv").exists())
        self.paste(next(line for line in said.splitlines() if line.startswith("  for t in")), MAX_SEQS=3)
        self.assertEqual(len(list(self.scene.folder.glob("results/*/sequences/walks_*.csv"))), len(SURFACES))

    def paste(self, command, **variables):
        """A command that a script printed, in the shell that called it."""
        environment = self.scene.environment(**SIZE, **variables)
        command = command.replace("./01b", str(ROOT / "01b"))
        subprocess.run(["bash", "-ec", command], cwd=self.scene.folder, env=environment, check=True, capture_output=True)

    def test_the_other_steps_take_one_at_a_time(self):
        before = self.scene.files()
        for script in ("01b_sequence_generation.sh", "01c_dataset_preparation.sh", "02a_model_training.sh",
                       "02b_representation_extraction.sh"):
            for names, words in (("plane,torus", "for t in plane torus; do TOPOLOGY=$t"), ("all", f"for t in {' '.join(SURFACES)};")):
                done = self.scene.run(script, **SMALL, TOPOLOGY=names)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn("one surface at a time", done.stderr)
                self.assertIn(words, done.stderr)
                self.assertIn(script, done.stderr)
        self.assertEqual(self.scene.files(), before)
        self.assertFalse((self.scene.folder / "results").exists())


class AllSurfacesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = Scene()
        cls.addClassCleanup(cls.scene.close)
        cls.scene.must("01a_graph_generation.sh", **SIZE, TOPOLOGY="all")
        strider = os.environ["STRIDER"]

        def run(*words):
            subprocess.run([strider, *words], cwd=cls.scene.folder, check=True, capture_output=True)
        for surface in SURFACES:
            data = f"results/{surface}_4x5"
            walks = f"{data}/sequences/walks_{surface}_4x5.csv"
            run("walks", "--graph_dir", f"{data}/graph", "--topology", surface, "--H=4", "--W=5", "--max_length=12", "--max_seqs=100",
                "--no_repeat_window=2", "--out", walks)
            run("dataset", "--input_csv", walks, "--output_dir", f"{data}/dataset")
            run("train", "--dataset_dir", f"{data}/dataset", "--config", "configs/config_tiny.json", "--output_dir", f"{data}/tiny",
                "--max_steps=2", "--batch_size=20", "--eval_steps=2", "--save_steps=2", "--logging_steps=1", "--threads=1")
            run("extract", "--model_dir", f"{data}/tiny/final_model", "--output_dir", f"{data}/tiny/token_representations")

    def test_files_say_which_row_is_which_token(self):
        for surface in SURFACES:
            with self.subTest(surface=surface):
                graph = self.scene.folder / f"results/{surface}_4x5/graph"
                info = json.loads((graph / f"graph_info_{surface}_4x5.json").read_text())
                tokens = info.get("token_id", list(range(info["num_nodes"])))
                header = (graph / f"A_{surface}_4x5_labeled.csv").read_text().splitlines()[0]
                self.assertEqual(tokens, [int(label) for label in header.split(",")[1:]])
                for file in ("coords", "distance_matrix", "A"):
                    self.assertEqual(len(numpy.load(graph / f"{file}_{surface}_4x5.npy")), len(tokens))
        self.assertEqual(json.loads((self.scene.folder / "results/sphere_4x5/graph/graph_info_sphere_4x5.json").read_text())["token_id"],
                         [6, 7, 8, 11, 12, 13, 14])
        self.assertNotIn("token_id", json.loads(
            (self.scene.folder / "results/torus_4x5/graph/graph_info_torus_4x5.json").read_text()))

    def test_the_drawing_puts_vectors_and_distances_together(self):
        spec = importlib.util.spec_from_file_location("draw_run", ROOT / "docs/images/draw_run.py")
        draw_run = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(draw_run)
        for surface in SURFACES:
            with self.subTest(surface=surface):
                data = self.scene.folder / f"results/{surface}_4x5"
                run = draw_run.load_run(data, data / "tiny")
                vectors = numpy.load(data / "tiny/token_representations/token_representations.npz")
                rows = [entry["token_id"] for entry in json.loads(
                    (data / "tiny/token_representations/token_metadata.json").read_text())]
                self.assertEqual(len(run.layers), 2)
                for i, layer in enumerate(run.layers):
                    self.assertEqual(len(layer), len(run.steps))
                    for token, vector in zip(run.tokens, layer):
                        self.assertTrue((vector == vectors[f"layer_{i}_after_block"][rows.index(token)]).all())
                adjacency = numpy.load(data / f"graph/A_{surface}_4x5.npy")
                self.assertTrue(((run.steps == 1) == (adjacency == 1)).all())
                far, means = draw_run.mean_distances(run.layers[0], run.steps)
                self.assertEqual(list(far), list(range(1, int(run.steps.max()) + 1)))
                self.assertTrue(numpy.isfinite(means).all())
                self.assertTrue(run.training and run.evaluated)
                self.assertEqual(run.neighbours, 8 if surface == "torus" else run.neighbours)


if __name__ == "__main__":
    unittest.main()
