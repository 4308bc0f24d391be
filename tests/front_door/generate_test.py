"""What transformers itself makes of a final_model: walks that go on, and batches of them. It runs Llama on Flax here."""
import json
import os
import unittest

os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import numpy
from transformers import AutoTokenizer, FlaxLlamaForCausalLM

from scene import TINY, Scene


def setUpModule():
    global scene, model, tokenizer
    scene = Scene()
    scene.make_dataset()
    scene.must("02a_model_training.sh", **TINY)
    folder = scene.folder / "results/torus_4x5/tiny/final_model"
    model = FlaxLlamaForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)


def tearDownModule():
    scene.close()


class GenerateTest(unittest.TestCase):
    def test_a_walk_goes_on_to_max_new_tokens(self):
        adjacency = numpy.load(scene.folder / "results/torus_4x5/graph/A_torus_4x5.npy")
        walks = []
        for seed in range(4):
            start = numpy.array([[seed]])
            made = model.generate(start, max_new_tokens=20, do_sample=True, prng_key=jax.random.PRNGKey(seed),
                                  pad_token_id=0, attention_mask=numpy.ones_like(start))
            walks.append(numpy.asarray(made.sequences)[0])
            self.assertEqual(len(walks[-1]), 21)
        print("A generated walk:", tokenizer.decode(walks[0]))
        steps = [(a, b) for walk in walks for a, b in zip(walk, walk[1:])]
        edges = sum(adjacency[a, b] != 0 for a, b in steps)
        self.assertGreater(edges / len(steps), 0.9)
        self.assertIn(2, {int(node) for walk in walks for node in walk}, "a walk comes through node 2, and goes on")

    def test_no_node_is_a_special_token(self):
        for name in ("config.json", "generation_config.json"):
            file = json.loads((scene.folder / "results/torus_4x5/tiny/final_model" / name).read_text())
            for token in ("bos_token_id", "eos_token_id", "pad_token_id"):
                self.assertIn(token, file)
                self.assertIsNone(file[token])
        self.assertIsNone(model.config.eos_token_id)
        self.assertIsNone(model.generation_config.eos_token_id)

    def test_batches_are_padded_and_other_words_are_errors(self):
        batch = tokenizer(["3 10 0", "12"], padding=True)
        self.assertEqual(batch["input_ids"], [[3, 10, 0], [12, 0, 0]])
        self.assertEqual(batch["attention_mask"], [[1, 1, 1], [1, 0, 0]])
        self.assertEqual(tokenizer.decode(tokenizer("10 0 1 19")["input_ids"]), "10 0 1 19")
        for word in ("20", "-1", "x"):
            with self.assertRaisesRegex(Exception, "vocabulary"):
                tokenizer(word)


if __name__ == "__main__":
    unittest.main()
