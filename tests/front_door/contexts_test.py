"""Tokens in context at the front door: the places that Python itself draws, both sets of names, and what is said."""
import json
import random
import unittest
from collections import defaultdict

import numpy
from datasets import disable_progress_bars, load_from_disk

from scene import TINY, Scene

RUN = TINY | dict(MAX_SEQS=60, MAX_LENGTH=12, EPOCHS=1, MAX_STEPS=3, EVAL_STEPS=3, SAVE_STEPS=3)
SCRIPT = "02b_representation_extraction.sh"
ALL = "residual_before after_attention after_block ffn_gate ffn_up"
MEANS, RAW = "token_representations.npz", "token_representations_upsampled_raw.npz"
N, SEED, VOCAB = 35, 7, 20


def setUpModule():
    global scene
    disable_progress_bars()
    scene = Scene()
    scene.make_dataset(MAX_SEQS=60, MAX_LENGTH=12)
    scene.must("02a_model_training.sh", **RUN)


def tearDownModule():
    scene.close()


class ContextsTest(unittest.TestCase):
    def folder(self, name):
        return scene.folder / "results/torus_4x5/tiny" / name

    def extract(self, name, **variables):
        return scene.run(SCRIPT, **(RUN | dict(REPRESENTATION_DIR=self.folder(name)) | variables))

    def must(self, name, **variables):
        done = self.extract(name, **variables)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def arrays(self, name, file=MEANS):
        with numpy.load(self.folder(name) / file) as arrays:
            return {key: arrays[key] for key in arrays.files}

    def drawn(self):
        """[VOCAB][N] of (walk, position), as the reference draws them; and how many tokens repeat places."""
        places = defaultdict(list)
        for row, walk in enumerate(load_from_disk(scene.folder / "results/torus_4x5/dataset")["train"]["input_ids"]):
            for position, token in enumerate(walk):
                places[token].append((row, position))
        generator = random.Random(SEED)
        few = [token for token in range(VOCAB) if len(places[token]) < N]
        return [generator.choices(places[token], k=N) if token in few else generator.sample(places[token], N)
                for token in range(VOCAB)], len(few)

    def test_single_vectors_are_those_of_the_places_that_python_draws(self):
        said = self.must("in_context", UPSAMPLE=N, UPSAMPLE_SEED=SEED, REPRESENTATIONS=ALL)
        self.must("alone", REPRESENTATIONS=ALL)
        means, alone, raw = self.arrays("in_context"), self.arrays("alone"), self.arrays("in_context", RAW)
        self.assertEqual(list(means), list(alone))
        self.assertEqual(list(raw), list(alone))
        places, few = self.drawn()
        self.assertTrue(0 < few < VOCAB)
        self.assertIn(f"of which some are repeated: {few}\n", said)
        self.assertIn(f"Walks through the model: {len({walk for row in places for walk, _ in row})},", said)
        first = numpy.array([[position == 0 for _, position in row] for row in places])
        self.assertTrue(first.any() and not first.all())
        for name, vectors in raw.items():
            self.assertEqual(vectors.shape, (VOCAB, N, alone[name].shape[1]))
            numpy.testing.assert_allclose(means[name], vectors.mean(axis=1), rtol=1e-4, atol=1e-5)
            # Where a token begins its walk it is alone; elsewhere it saw what came before.
            distance = numpy.abs(vectors - alone[name][:, None]).max(axis=2)
            self.assertLess(distance[first].max(), 1e-4, name)
            if name not in ("input_embeds", "layer_0_residual_before"):
                self.assertGreater(distance[~first].min(), 1e-3, name)
        # The same place is the same vector, another place is another.
        final = raw["final_hidden"]
        for row, its_places in enumerate(places):
            for draw in range(1, N):
                same = bool((final[row, draw] == final[row, 0]).all())
                self.assertEqual(same, its_places[draw] == its_places[0] or first[row, draw] and first[row, 0])

        summary = json.loads((self.folder("in_context") / "extraction_summary.json").read_text())
        self.assertEqual(list(summary)[-5:], ["upsampled", "dataset_dir", "upsample_n", "seed", "upsampled_raw_file"])
        self.assertEqual((summary["upsampled"], summary["upsample_n"], summary["seed"]), (True, N, SEED))
        self.assertEqual(summary["upsampled_raw_file"], RAW)

    def test_the_names_of_the_reference_mean_the_same(self):
        self.must("ours", UPSAMPLE=4, UPSAMPLE_SEED=5)
        self.must("theirs", REPRESENTATION_UPSEAMPLE="true", REPRESENTATION_UPSEAMPLE_N=4,
                  REPRESENTATION_UPSEAMPLE_SEED=5)
        for file in self.folder("ours").iterdir():
            self.assertEqual(file.read_bytes(), (self.folder("theirs") / file.name).read_bytes(), file.name)
        self.assertIn("the mean over 100 of its places", self.must("hundred", REPRESENTATION_UPSEAMPLE="true"))
        self.must("off", REPRESENTATION_UPSEAMPLE="false", REPRESENTATION_UPSEAMPLE_N=4)
        self.assertFalse((self.folder("off") / RAW).exists())
        for wrong in (dict(REPRESENTATION_UPSEAMPLE="yes"), dict(REPRESENTATION_UPSEAMPLE="true", UPSAMPLE=4)):
            done = self.extract("wrong", **wrong)
            self.assertEqual(done.returncode, 1)
            self.assertIn("REPRESENTATION_UPSEAMPLE", done.stderr)
            self.assertFalse(self.folder("wrong").exists())

    def test_means_only_then_single_vectors_then_alone(self):
        self.must("again", UPSAMPLE=2, UPSAMPLE_RAW="false")
        self.assertFalse((self.folder("again") / RAW).exists())
        before = (self.folder("again") / MEANS).read_bytes()
        self.must("again", UPSAMPLE=2)
        self.assertEqual((self.folder("again") / MEANS).read_bytes(), before)
        self.assertEqual(self.arrays("again", RAW)["final_hidden"].shape, (VOCAB, 2, 32))
        self.assertIn("already extracted", self.must("again", UPSAMPLE=2))
        done = self.extract("again")
        self.assertEqual(done.returncode, 1)
        self.assertIn("UPSAMPLE was 2, now 0", done.stderr)
        self.must("again", OVERWRITE="true")
        self.assertFalse((self.folder("again") / RAW).exists())

    def test_the_training_walks_have_to_be_there(self):
        done = self.extract("without", UPSAMPLE=2, DATASET_DIR="nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Dataset directory nowhere not found!", done.stderr)
        self.assertIn("01c_dataset_preparation.sh", done.stderr)
        self.assertFalse(self.folder("without").exists())
        self.must("without", DATASET_DIR="nowhere")  # each token alone needs none


if __name__ == "__main__":
    unittest.main()
