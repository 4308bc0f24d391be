"""What 02b does where representations are there already, where an extraction was killed, and where memory is short."""
import json
import os
import pty
import subprocess
import unittest

import numpy

from scene import ROOT, TINY, Scene

RUN = TINY | dict(MAX_SEQS=200, EPOCHS=1, MAX_STEPS=3, EVAL_STEPS=3, SAVE_STEPS=3, REPORT="false")
SCRIPT = "02b_representation_extraction.sh"
NAME = "torus_4x5"


def setUpModule():
    global scene
    scene = Scene()
    scene.make_dataset(MAX_SEQS=200)
    scene.must("02a_model_training.sh", **RUN)


def tearDownModule():
    scene.close()


def at(*parts):
    return scene.folder.joinpath("results", NAME, *parts)


def folder_of(name):
    return at("tiny", name)


def ended_process():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


class AgainTest(unittest.TestCase):
    def extract(self, name, **variables):
        return scene.run(SCRIPT, **(RUN | dict(REPRESENTATION_DIR=folder_of(name)) | variables))

    def must(self, name, **variables):
        done = self.extract(name, **variables)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def arrays(self, name):
        with numpy.load(folder_of(name) / "token_representations.npz") as file:
            return {key: file[key] for key in file.files}

    def test_of_the_same_weights_are_kept(self):
        self.must("kept", REPRESENTATIONS="after_block ffn_up")
        before = scene.files()
        said = self.must("kept", REPRESENTATIONS="ffn_up")
        self.assertIn("already extracted from these weights", said)
        self.assertNotIn("Extraction complete!", said)
        self.assertEqual(scene.files(), before)

    def test_missing_types_are_added(self):
        self.must("added", REPRESENTATIONS="after_block")
        before = self.arrays("added")
        self.must("added", REPRESENTATIONS="ffn_gate")
        self.must("at_once", REPRESENTATIONS="ffn_gate after_block")
        after = self.arrays("added")
        self.assertEqual(len(after), len(before) + 2)
        for name, values in before.items():
            self.assertEqual(after[name].tobytes(), values.tobytes(), name)
        for file in folder_of("at_once").iterdir():
            self.assertEqual((folder_of("added") / file.name).read_bytes(), file.read_bytes(), file.name)

    def test_of_other_weights_are_refused_and_replaced_when_asked(self):
        self.must("retrained", RUN_NAME="tiny")
        first = json.loads((folder_of("retrained") / "representation_info.json").read_text())
        scene.must("02a_model_training.sh", **(RUN | dict(SEED=7, OUTPUT_DIR=at("tiny", "other"))))
        other = dict(MODEL_DIR=at("tiny", "other", "final_model"))
        before = scene.files()
        done = self.extract("retrained", **other)
        self.assertEqual(done.returncode, 1)
        self.assertIn("weights' checksum was " + first["fingerprint"]["weights"], done.stderr)
        self.assertIn("OVERWRITE=true", done.stderr)
        self.assertEqual(scene.files(), before)

        asked = self.answer("retrained", b"n", **other)
        self.assertIn("not those of this model", asked.stdout)
        self.assertIn("Skipping extraction.", asked.stdout)
        self.assertEqual(scene.files(), before)
        self.must("retrained", **other, OVERWRITE="true")
        second = json.loads((folder_of("retrained") / "representation_info.json").read_text())
        self.assertNotEqual(second["fingerprint"]["weights"], first["fingerprint"]["weights"])
        self.assertIn("already extracted", self.must("retrained", **other))
        self.assertIn("Extraction complete!", self.answer("retrained", b"y").stdout)
        third = json.loads((folder_of("retrained") / "representation_info.json").read_text())
        self.assertEqual(third["fingerprint"], first["fingerprint"])

    def answer(self, name, key, **variables):
        """What 02b does when its standard input is a terminal on which someone presses a key."""
        ours, its = pty.openpty()
        os.write(ours, key)
        done = subprocess.run(
            [ROOT / SCRIPT], cwd=scene.folder, stdin=its, text=True, capture_output=True, timeout=60,
            env=scene.environment(**(RUN | dict(REPRESENTATION_DIR=folder_of(name)) | variables)))
        os.close(ours)
        os.close(its)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Delete and re-extract? (y/N): ", done.stderr)
        return done


class KilledTest(unittest.TestCase):
    def test_the_next_call_removes_what_a_killed_one_left(self):
        representations = folder_of("killed")
        representations.mkdir()
        gone = ended_process()
        left = [representations / f".representations.partial-{gone}", at("tiny", f".killed.partial-{gone}"),
                at(f".dataset.partial-{gone}")]
        for folder in left:
            folder.mkdir()
            (folder / "half").write_bytes(bytes(1000))
        walks = at("sequences", f".walks_{NAME}.csv.partial-{gone}")
        walks.write_text("walk_id,")
        running = at(f".dataset.partial-{os.getpid()}")
        running.mkdir()
        scene.must(SCRIPT, **(RUN | dict(REPRESENTATION_DIR=representations)))
        scene.must("01b_sequence_generation.sh", **RUN, OVERWRITE="true")
        scene.must("01c_dataset_preparation.sh", **RUN, OVERWRITE="true")
        for path in (*left, walks):
            self.assertFalse(path.exists(), path)
        self.assertTrue(running.exists(), "a process works on it")
        left[0].mkdir()  # by one that was killed while it replaced what is there
        self.assertIn("already extracted", scene.must(SCRIPT, **(RUN | dict(REPRESENTATION_DIR=representations))))
        self.assertFalse(left[0].exists())


class MemoryTest(unittest.TestCase):
    def test_too_little_memory_is_foreseen(self):
        model = scene.folder / "huge"
        model.mkdir()
        (model / "config.json").write_text(json.dumps(dict(
            model_type="llama", hidden_size=8192, intermediate_size=32768, num_hidden_layers=60,
            num_attention_heads=64, vocab_size=1000)))
        done = scene.run(SCRIPT, **(RUN | dict(MODEL_DIR=model, REPRESENTATION_DIR=folder_of("huge"))))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"needs \d+ MB of memory, \d+ MB are available")
        self.assertFalse(folder_of("huge").exists())


if __name__ == "__main__":
    unittest.main()
