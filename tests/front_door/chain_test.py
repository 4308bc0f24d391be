"""The whole chain, 01a to 02b, from another folder than the scripts'; every output opened with the library it is for."""
import csv
import json
import math
import os
import pty
import subprocess
import unittest

import numpy
from datasets import load_from_disk
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer, LlamaConfig

from scene import ROOT, TINY, Scene

NAME = "torus_4x5"
NODES = 20
TYPES = "residual_before after_attention after_block ffn_gate ffn_up"


def setUpModule():
    global scene, printed
    scene = Scene()
    scene.make_dataset()
    printed = scene.must("02a_model_training.sh", **TINY)
    scene.must("02b_representation_extraction.sh", **TINY, REPRESENTATIONS=TYPES)


def tearDownModule():
    scene.close()


def at(*parts):
    return scene.folder.joinpath("results", NAME, *parts)


def read_json(*parts):
    return json.loads(at(*parts).read_text())


class GraphTest(unittest.TestCase):
    def test_every_cell_of_a_torus_has_eight_neighbours(self):
        adjacency = numpy.load(at("graph", f"A_{NAME}.npy"))
        self.assertEqual((adjacency.shape, adjacency.dtype), ((NODES, NODES), numpy.int8))
        self.assertTrue((adjacency == adjacency.T).all())
        self.assertTrue((adjacency.sum(axis=0) == 8).all())

    def test_distances_are_those_of_the_adjacency(self):
        adjacency = numpy.load(at("graph", f"A_{NAME}.npy"))
        distances = numpy.load(at("graph", f"distance_matrix_{NAME}.npy"))
        self.assertTrue(((distances == 1) == (adjacency == 1)).all())
        self.assertEqual(distances.max(), 2)

    def test_coordinates_and_nodes_go_row_by_row(self):
        self.assertEqual(numpy.load(at("graph", f"coords_{NAME}.npy")).shape, (NODES, 3))
        with open(at("graph", f"nodes_{NAME}.csv"), newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([int(row["i"]) * 5 + int(row["j"]) for row in rows], list(range(NODES)))
        self.assertEqual([int(row["node_id"]) for row in rows], list(range(NODES)))


class DatasetTest(unittest.TestCase):
    def test_splits_hold_the_walks_of_the_csv(self):
        with open(at("sequences", f"walks_{NAME}.csv"), newline="") as file:
            walks = {int(row["walk_id"]): [int(word) for word in row["sequence_labels"].split()]
                     for row in csv.DictReader(file)}
        splits = load_from_disk(str(at("dataset")))
        self.assertEqual({name: len(split) for name, split in splits.items()}, {"train": 1900, "validation": 100})
        seen = {row["walk_id"]: row["input_ids"] for split in splits.values() for row in split}
        self.assertEqual(seen, walks)

    def test_walks_keep_to_edges_and_to_the_window(self):
        adjacency = numpy.load(at("graph", f"A_{NAME}.npy"))
        for split in load_from_disk(str(at("dataset"))).values():
            for ids in split["input_ids"]:
                self.assertEqual(len(ids), 24)
                for i in range(1, len(ids)):
                    self.assertEqual(adjacency[ids[i - 1], ids[i]], 1)
                    self.assertNotIn(ids[i], ids[max(0, i - 4):i])

    def test_best_loss_is_the_entropy_of_the_rule(self):
        adjacency = numpy.load(at("graph", f"A_{NAME}.npy"))
        losses = []
        for ids in load_from_disk(str(at("dataset")))["validation"]["input_ids"]:
            for i in range(1, len(ids)):
                allowed = set(numpy.flatnonzero(adjacency[ids[i - 1]])) - set(ids[max(0, i - 4):i])
                losses.append(math.log(len(allowed)))
        self.assertAlmostEqual(read_json("dataset", "vocab_info.json")["best_loss"], numpy.mean(losses), places=9)


class ModelTest(unittest.TestCase):
    def test_configuration_and_tensors_agree(self):
        config = LlamaConfig.from_pretrained(at("tiny", "final_model"))
        tensors = load_file(at("tiny", "final_model", "model.safetensors"))
        self.assertEqual(config.vocab_size, NODES)
        self.assertEqual(config.num_key_value_heads, 2)
        self.assertEqual(tensors["model.embed_tokens.weight"].shape, (NODES, 32))
        self.assertEqual(tensors["model.layers.1.self_attn.k_proj.weight"].shape, (16, 32))
        self.assertEqual(tensors["lm_head.weight"].shape, (NODES, 32))
        self.assertEqual(len(tensors), 3 + 9 * config.num_hidden_layers)
        for name, tensor in tensors.items():
            self.assertEqual(tensor.dtype, numpy.float32, name)
            self.assertTrue(numpy.isfinite(tensor).all(), name)

    def test_tokenizers_split_at_spaces(self):
        plain = Tokenizer.from_file(str(at("tiny", "final_model", "tokenizer.json")))
        self.assertEqual(plain.encode("0 17 5 19").ids, [0, 17, 5, 19])
        tokenizer = AutoTokenizer.from_pretrained(at("tiny", "final_model"))
        self.assertEqual(tokenizer("0 17 5 19")["input_ids"], [0, 17, 5, 19])
        self.assertEqual(tokenizer.decode([0, 17, 5, 19]), "0 17 5 19")
        self.assertEqual(tokenizer.get_vocab(), read_json("tiny", "final_model", "vocab.json"))

    def test_it_has_learned_and_says_so(self):
        log = read_json("tiny", "trainer_state.json")["log_history"]
        losses = [entry["eval_loss"] for entry in log if "eval_loss" in entry]
        best = read_json("dataset", "vocab_info.json")["best_loss"]
        self.assertGreater(len(losses), 3)
        self.assertLess(losses[-1], math.log(8) - 0.03)  # the graph alone gives ln 8: it knows of the window too
        self.assertGreater(losses[-1], best)
        self.assertIn(f"{best:.4f}", printed)
        self.assertIn(f"{min(losses):.4f}", printed)
        self.assertIn("Model saved to: ./results/torus_4x5/tiny/final_model", printed)

    def test_checkpoints_open_like_the_final_model(self):
        state = read_json("tiny", "trainer_state.json")
        kept = sorted(path.name for path in at("tiny").glob("checkpoint-*"))
        self.assertLessEqual(len(kept), 2)
        self.assertIn(f"checkpoint-{state['global_step']}", kept)
        best = state["best_model_checkpoint"].split("/")[-1]
        self.assertEqual(load_file(at("tiny", best, "model.safetensors"))["lm_head.weight"].tobytes(),
                         load_file(at("tiny", "final_model", "model.safetensors"))["lm_head.weight"].tobytes())


def forward_alone(tensors, config):
    """The representations of every token on its own, at position 0, in float64: attention has one key, so its output is
    o_proj(v), and the rotation is the identity."""
    weights = {name: tensor.astype(numpy.float64) for name, tensor in tensors.items()}

    def norm(x, name):
        return x / numpy.sqrt((x * x).mean(axis=1, keepdims=True) + config.rms_norm_eps) * weights[name]

    x = weights["model.embed_tokens.weight"]
    out = {"input_embeds": x}
    groups = config.num_attention_heads // config.num_key_value_heads
    for i in range(config.num_hidden_layers):
        layer = f"model.layers.{i}."
        out[f"layer_{i}_residual_before"] = x
        v = norm(x, layer + "input_layernorm.weight") @ weights[layer + "self_attn.v_proj.weight"].T
        heads = v.reshape(len(v), config.num_key_value_heads, -1).repeat(groups, axis=1).reshape(len(v), -1)
        attention = heads @ weights[layer + "self_attn.o_proj.weight"].T
        x = x + attention
        normed = norm(x, layer + "post_attention_layernorm.weight")
        gate = normed @ weights[layer + "mlp.gate_proj.weight"].T
        up = normed @ weights[layer + "mlp.up_proj.weight"].T
        x = x + (gate / (1 + numpy.exp(-gate)) * up) @ weights[layer + "mlp.down_proj.weight"].T
        out |= {f"layer_{i}_after_attention": attention, f"layer_{i}_ffn_gate": gate, f"layer_{i}_ffn_up": up,
                f"layer_{i}_after_block": x}
    return out | {"final_hidden": norm(x, "model.norm.weight")}


class RepresentationTest(unittest.TestCase):
    def test_arrays_are_what_the_model_computes(self):
        config = LlamaConfig.from_pretrained(at("tiny", "final_model"))
        expected = forward_alone(load_file(at("tiny", "final_model", "model.safetensors")), config)
        arrays = numpy.load(at("tiny", "token_representations", "token_representations.npz"))
        self.assertEqual(sorted(arrays.files), sorted(expected))
        for name, values in expected.items():
            self.assertEqual((arrays[name].dtype, arrays[name].shape), (numpy.float32, values.shape), name)
            self.assertLess(abs(arrays[name] - values).max(), 1e-5 * abs(values).max(), name)

    def test_what_the_next_stage_reads_beside_them(self):
        metadata = read_json("tiny", "token_representations", "token_metadata.json")
        self.assertEqual(metadata, [{"token_id": i, "token_str": str(i)} for i in range(NODES)])
        summary = read_json("tiny", "token_representations", "extraction_summary.json")
        self.assertEqual((summary["vocab_size"], summary["num_layers"], summary["hidden_size"]), (NODES, 2, 32))
        arrays = numpy.load(at("tiny", "token_representations", "token_representations.npz"))
        self.assertEqual(summary["representation_keys"], arrays.files)


class AgainTest(unittest.TestCase):
    """What a second call does."""

    def test_a_finished_run_says_so_and_changes_nothing(self):
        before = scene.files()
        self.assertIn("finished", scene.must("02a_model_training.sh", **TINY))
        self.assertEqual(scene.files(), before)

    def test_representations_stay_without_a_terminal(self):
        before = scene.files()
        said = scene.must("02b_representation_extraction.sh", **TINY)
        self.assertIn("Token representations already exist", said)
        self.assertNotIn("(y/N)", said)
        self.assertEqual(scene.files(), before)

    def answer(self, key):
        """What 02b does when its standard input is a terminal on which someone presses a key."""
        ours, its = pty.openpty()
        os.write(ours, key)
        done = subprocess.run([ROOT / "02b_representation_extraction.sh"], cwd=scene.folder, stdin=its, text=True,
                              env=scene.environment(**TINY, REPRESENTATIONS=TYPES), capture_output=True, timeout=60)
        os.close(ours)
        os.close(its)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Delete and re-extract? (y/N): ", done.stderr)
        return done.stdout

    def test_at_a_terminal_it_asks(self):
        file = at("tiny", "token_representations", "token_representations.npz")
        before = file.stat().st_ino
        self.assertIn("Skipping extraction.", self.answer(b"n"))
        self.assertEqual(file.stat().st_ino, before)
        self.assertIn("Extraction complete!", self.answer(b"y"))
        self.assertNotEqual(file.stat().st_ino, before)

    def test_other_settings_in_the_same_folder_are_refused(self):
        done = scene.run("02a_model_training.sh", **(TINY | dict(EPOCHS=4)))
        self.assertEqual(done.returncode, 1)
        self.assertIn("epochs was 3, now 4", done.stderr)

    def test_a_preset_is_found_beside_the_scripts(self):
        said = scene.must("02a_model_training.sh", **(TINY | dict(RUN_NAME="400K_llama", MAX_STEPS=1)))
        self.assertIn("394,048 non-embedding", said)


if __name__ == "__main__":
    unittest.main()
