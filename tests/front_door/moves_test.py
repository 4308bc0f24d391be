"""The moves of a model in strider measure: probability on neighbours and on what the rule allows against a Llama in numpy
float64, and walks sampled from it against what its probabilities say."""
import json
import os
import subprocess
import unittest

import numpy as np
from datasets import load_from_disk
from safetensors.numpy import load_file
from scene import TINY, Scene

PROGRAM = os.environ["STRIDER"]
WINDOW = TINY["NO_REPEAT_WINDOW"]
HEADS, KEY_HEADS, WIDTH, THETA, EPSILON = 4, 2, 8, 10000.0, 1e-6


def norm(x, weight):
    return weight * x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)


def turned(x):
    """Rotary positions, halves turned against each other: x [length, heads, width]."""
    half = x.shape[-1] // 2
    angles = np.arange(len(x))[:, None] / THETA ** (np.arange(half) / half)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def logits_of(weights, ids):
    at = lambda name: weights[name].astype(np.float64)
    x = at("model.embed_tokens.weight")[ids]
    length = len(ids)
    for layer in range(2):
        part = lambda name: at(f"model.layers.{layer}.{name}.weight")
        h = norm(x, part("input_layernorm"))
        q, k, v = ((h @ part(f"self_attn.{name}_proj").T).reshape(length, -1, WIDTH) for name in "qkv")
        q, k = turned(q), turned(k)
        heads = []
        for head in range(HEADS):
            group = head * KEY_HEADS // HEADS
            scores = q[:, head] @ k[:, group].T / np.sqrt(WIDTH)
            scores[np.triu_indices(length, 1)] = -np.inf
            share = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(share / share.sum(-1, keepdims=True) @ v[:, group])
        x = x + np.concatenate(heads, -1) @ part("self_attn.o_proj").T
        h = norm(x, part("post_attention_layernorm"))
        gate = h @ part("mlp.gate_proj").T
        x = x + gate / (1 + np.exp(-gate)) * (h @ part("mlp.up_proj").T) @ part("mlp.down_proj").T
    return norm(x, at("model.norm.weight")) @ at("lm_head.weight").T


def probabilities_of(weights, ids):
    logits = logits_of(weights, ids)
    share = np.exp(logits - logits.max(-1, keepdims=True))
    return share / share.sum(-1, keepdims=True)


def allowed(adjacency, ids, p):
    """Nodes that the rule allows after the first p + 1 of a walk."""
    near = np.flatnonzero(adjacency[ids[p]])
    free = [node for node in near if node not in ids[max(0, p + 1 - WINDOW):p + 1]]
    return free or list(near)


class MovesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = Scene()
        cls.scene.make_dataset()
        cls.scene.must("02a_model_training.sh", **TINY, MAX_STEPS=120)
        cls.scene.must("02b_representation_extraction.sh", **TINY, REPORT="false")
        cls.base = cls.scene.folder / "results/torus_4x5"
        cls.adjacency = np.load(cls.base / "graph/A_torus_4x5.npy")
        cls.weights = load_file(cls.base / "tiny/final_model/model.safetensors")

    @classmethod
    def tearDownClass(cls):
        cls.scene.close()

    def measure(self, *more, code=0):
        done = subprocess.run([PROGRAM, "measure", self.base / "tiny", *map(str, more)], capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout + done.stderr

    def moves(self, *more):
        return json.loads(self.measure("--model_dir", self.base / "tiny/final_model", "--dataset_dir",
                                       self.base / "dataset", "--json", *more))["moves"]

    def test_probabilities(self):
        found = self.moves()
        walks = load_from_disk(str(self.base / "dataset"))["validation"]["input_ids"]
        self.assertEqual((found["split"], found["walks"]), ("validation", len(walks)))
        near, free, losses = [], [], []
        for ids in walks:
            probability = probabilities_of(self.weights, ids)
            for p in range(len(ids) - 1):
                near.append(probability[p][self.adjacency[ids[p]] > 0].sum())
                free.append(probability[p][allowed(self.adjacency, ids, p)].sum())
                losses.append(-np.log(probability[p][ids[p + 1]]))
        self.assertEqual(found["predictions"], len(near))
        for name, values in (("on_neighbours", near), ("on_allowed", free), ("loss", losses)):
            self.assertAlmostEqual(found[name], np.mean(values), delta=2e-6, msg=name)

    def test_sampled_walks_are_as_valid_as_the_probabilities_say(self):
        """What is expected of walks that are drawn here, within four standard deviations of 32 walks."""
        found = self.moves()["sampled"]
        self.assertEqual((found["walks"], found["steps"]), (32, 32 * 23))  # as long as the longest walk it learned from
        random, shares, valid = np.random.default_rng(3), [], []
        for _ in range(64):
            ids, on_edges, keeps = [random.integers(20)], [], True
            for p in range(23):
                ids.append(random.choice(20, p=probabilities_of(self.weights, ids)[-1]))
                on_edges.append(self.adjacency[ids[p], ids[p + 1]] > 0)
                keeps &= ids[p + 1] in allowed(self.adjacency, ids, p)
            shares.append(np.mean(on_edges))
            valid.append(keeps)
        spread = lambda values: 4 * max(np.std(values), 0.02) * np.sqrt(1 / 32 + 1 / 64)
        self.assertAlmostEqual(found["on_edges"], np.mean(shares), delta=spread(shares))
        self.assertAlmostEqual(found["valid_walks"], np.mean(valid), delta=spread(valid))
        self.assertLessEqual(found["allowed"], found["on_edges"])

    def test_the_same_for_any_number_of_threads(self):
        self.assertEqual(self.moves("--threads", 1), self.moves("--threads", 3))

    def test_what_is_printed_and_refused(self):
        said = self.measure("--model_dir", self.base / "tiny/final_model", "--dataset_dir", self.base / "dataset")
        self.assertIn("32 walks sampled from it: ", said)
        self.assertIn("go together", self.measure("--model_dir", self.base / "tiny/final_model", code=1))


if __name__ == "__main__":
    unittest.main()
