"""--json: one object on standard output, nothing else there, and it says what the files hold. Terminals: a line is drawn
over another one only where that can be done, and nothing is ever coloured."""
import json
import os
import pty
import re
import signal
import subprocess
import unittest

import numpy

from scene import TINY, Scene

PROGRAM = os.environ["STRIDER"]
DATA = "results/torus_4x5"
TRAIN = ["train", "--dataset_dir", f"{DATA}/dataset", "--config", "configs/config_tiny.json", "--batch_size", "16",
         "--threads", "2"]


def setUpModule():
    global scene
    scene = Scene()
    scene.make_dataset()
    scene.must("02a_model_training.sh", **(TINY | dict(MAX_STEPS=60)))


def tearDownModule():
    scene.close()


def call(*arguments, code=0, **variables):
    done = subprocess.run([PROGRAM, *arguments], cwd=scene.folder, env=scene.environment(**variables), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def one_object(*arguments, code=0):
    done = call(*arguments, "--json", code=code)
    found = json.loads(done.stdout)  # fails where anything else is there
    assert isinstance(found, dict)
    return found, done.stderr


def on_a_terminal(*arguments, **variables):
    """All that a command writes to a terminal."""
    ours, its = pty.openpty()
    done = subprocess.Popen([PROGRAM, *arguments], cwd=scene.folder, env=scene.environment(**variables), stdin=its,
                            stdout=its, stderr=its)
    os.close(its)
    text = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the last one who had it open is gone
            break
        if not part:
            break
        text += part
    os.close(ours)
    assert done.wait() == 0, text
    return text.decode()


class JsonTest(unittest.TestCase):
    def test_graph(self):
        found, errors = one_object("graph", "--H", "3", "--W", "4", "--topology", "torus,plane", "--output_dir",
                                   "made/{name}")
        self.assertEqual(errors, "")
        self.assertEqual([graph["name"] for graph in found["graphs"]], ["torus_3x4", "plane_3x4"])
        for graph in found["graphs"]:
            matrix = numpy.load(scene.folder / f"made/{graph['name']}/A_{graph['name']}.npy")
            self.assertEqual((graph["nodes"], graph["edges"]), (12, matrix.sum() // 2))
            for file in graph["files"]:
                self.assertTrue((scene.folder / file).is_file(), file)

    def test_walks_and_dataset(self):
        found, errors = one_object("walks", "--graph_dir", f"{DATA}/graph", "--topology", "torus", "--H", "4", "--W", "5",
                                   "--max_seqs", "50", "--max_length", "10", "--out", "made/walks.csv")
        self.assertEqual(errors, "")
        self.assertEqual((found["walks"], found["nodes"], found["graph"]["nodes"]), (50, 500, 20))
        lines = (scene.folder / found["files"]["walks"]).read_text().splitlines()
        self.assertEqual(len(lines), 51)
        found, errors = one_object("dataset", "--input_csv", "made/walks.csv", "--output_dir", "made/dataset")
        self.assertEqual(errors, "")
        self.assertEqual((found["walks"], found["tokens"], found["vocab_size"]), (50, 500, 20))
        self.assertEqual(found["train_walks"] + found["validation_walks"], 50)
        info = json.loads((scene.folder / "made/dataset/vocab_info.json").read_text())
        self.assertEqual(found["best_possible_loss"], info["best_loss"])

    def test_train(self):
        arguments = [*TRAIN, "--output_dir", "made/run", "--max_steps", "20", "--eval_steps", "10", "--save_steps", "10"]
        found, log = one_object(*arguments)
        self.assertIn("Next step: Extract", log)
        run = json.loads((scene.folder / "made/run/strider_run.json").read_text())["result"]
        for name in ("steps", "eval_loss", "eval_loss_per_prediction", "best_checkpoint"):
            self.assertEqual(found["result"][name], run[name], name)
        self.assertEqual((found["plan"]["train_walks"], found["plan"]["max_steps"]), (1900, 20))
        self.assertTrue(found["result"]["finished"])
        again, _ = one_object(*arguments)
        self.assertIsNone(again["plan"])
        self.assertTrue(again["result"]["already_finished"])
        self.assertEqual(again["result"]["eval_loss"], run["eval_loss"])

    def test_train_that_is_stopped(self):
        run = subprocess.Popen([PROGRAM, *TRAIN, "--output_dir", "made/stopped", "--epochs", "1000", "--eval_steps", "10000",
                                "--save_steps", "10000", "--logging_steps", "1", "--json"], cwd=scene.folder, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        log = ""
        while "step 3" not in re.sub(r"\s+", " ", log.lower()) and (line := run.stderr.readline()):
            log += line
        run.send_signal(signal.SIGTERM)
        out, rest = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 128 + signal.SIGTERM, log + rest)
        result = json.loads(out)["result"]
        self.assertEqual((result["finished"], result["stopped_by_signal"]), (False, signal.SIGTERM))
        self.assertGreater(result["steps"], 0)
        self.assertIn("Stopping: ", log + rest)

    def test_extract(self):
        arguments = ["extract", "--model_dir", f"{DATA}/tiny/final_model", "--output_dir", "made/representations"]
        found, errors = one_object(*arguments, "--representations", "after_block", "ffn_up")
        self.assertEqual(errors, "")
        self.assertTrue(found["written"])
        with numpy.load(scene.folder / "made/representations/token_representations.npz") as arrays:
            self.assertEqual({array["name"]: (array["tokens"], array["width"]) for array in found["arrays"]},
                             {name: arrays[name].shape for name in arrays.files})
        again, _ = one_object(*arguments, "--representations", "after_block")
        self.assertFalse(again["written"])
        upsampled, _ = one_object(*arguments[:3], "--output_dir", "made/contexts", "--upsample", "2", "--dataset_dir",
                                  f"{DATA}/dataset")
        self.assertEqual(upsampled["contexts"]["per_token"], 2)

    def test_inspect_and_measure(self):
        self.assertEqual(one_object("inspect", f"{DATA}/tiny")[0]["kind"], "training run")
        scene.must("02b_representation_extraction.sh", **TINY)
        self.assertIn("layers", one_object("measure", f"{DATA}/tiny")[0])
        found, errors = one_object("report", f"{DATA}/tiny", "--output", "made/report.html")
        self.assertEqual((errors, found["bytes"]), ("", (scene.folder / "made/report.html").stat().st_size))

    def test_an_error_leaves_standard_output_empty(self):
        for arguments in (["graph", "--H", "0", "--W", "4", "--topology", "torus"], ["dataset", "--input_csv", "no such"],
                          ["walks", "--topology", "no", "--H", "1", "--W", "1"], ["inspect", "no such"],
                          ["extract", "--model_dir", "no such"], [*TRAIN, "--output_dir", "x", "--epochs", "-1"]):
            done = call(*arguments, "--json", code=1)
            self.assertEqual(done.stdout, "", arguments)
            self.assertTrue(done.stderr.startswith("Error: ") or "\nError: " in done.stderr, done.stderr)


class TerminalTest(unittest.TestCase):
    COLOURS = re.compile(r"\x1b\[[0-9;]*m")

    def commands(self, number):
        train = [*TRAIN, "--output_dir", f"terminal/{number}", "--max_steps", "30", "--eval_steps", "15", "--save_steps", "15"]
        walks = ["walks", "--graph_dir", f"{DATA}/graph", "--topology", "torus", "--H", "4", "--W", "5", "--max_length", "8",
                 "--max_seqs", "5000", "--out", f"terminal/{number}.csv"]
        return train, walks

    def test_a_file_has_no_line_that_was_drawn_over(self):
        for command in self.commands("pipe"):
            done = call(*command, TERM="xterm-256color")
            self.assertNotRegex(done.stdout + done.stderr, r"[\r\x1b]")

    def test_a_terminal_has_and_no_colours(self):
        for number, variables in enumerate((dict(TERM="xterm-256color"), dict(TERM="xterm-256color", NO_COLOR=1))):
            for command in self.commands(f"terminal {number}"):
                text = on_a_terminal(*command, **variables)
                self.assertIn("\x1b[K", text)
                self.assertNotRegex(text, self.COLOURS)

    def test_a_terminal_that_cannot(self):
        for command in self.commands("dumb"):
            text = on_a_terminal(*command, TERM="dumb")
            self.assertNotIn("\x1b", text)
            self.assertNotRegex(text.replace("\r\n", "\n"), "\r")

    def test_no_command_is_coloured(self):
        for command in (["--help"], ["train", "--help"], ["inspect", DATA], ["doctor"]):
            self.assertNotIn("\x1b", on_a_terminal(*command, TERM="xterm-256color"))


if __name__ == "__main__":
    unittest.main()
