"""What the front door tests share: a folder with spaces in its name, and the scripts run in it as a user would."""
import hashlib
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TINY_CONFIG = """{
  "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
  "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "rope_scaling": null
}"""
# A run of a second or two that gets near the best loss there is.
TINY = dict(H=4, W=5, RUN_NAME="tiny", MAX_SEQS=2000, MAX_LENGTH=24, NO_REPEAT_WINDOW=4, EPOCHS=3, BATCH_SIZE=16,
            LEARNING_RATE=1e-2, WARMUP_STEPS=10, EVAL_STEPS=60, SAVE_STEPS=60, THREADS=2)


class Scene:
    """A temporary working folder. Variables of the numbered scripts that the caller's shell has set do not count."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="strider front door ")
        self.folder = Path(self._folder.name)
        (self.folder / "configs").mkdir()
        (self.folder / "configs" / "config_tiny.json").write_text(TINY_CONFIG)

    def close(self):
        self._folder.cleanup()

    def environment(self, **variables):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "STRIDER") if name in os.environ}
        return kept | {name: str(value) for name, value in variables.items()}

    def run(self, script, **variables):
        return subprocess.run([ROOT / script], cwd=self.folder, env=self.environment(**variables), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120)

    def must(self, script, **variables):
        done = self.run(script, **variables)
        if done.returncode != 0:
            raise AssertionError(f"{script} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def make_dataset(self, **variables):
        for script in ("01a_graph_generation.sh", "01b_sequence_generation.sh", "01c_dataset_preparation.sh"):
            self.must(script, **(TINY | variables))

    def files(self):
        """Every file of the folder by the hash of its bytes: to see that nothing was left or touched. A lock says who held
        it last, so it does not count."""
        return {path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in self.folder.rglob("*") if path.is_file() and path.name != ".strider.lock"}


class RunTest(unittest.TestCase):
    """Tests of training runs, on one dataset for all tests of a class."""
    settings = TINY  # of every run

    @classmethod
    def setUpClass(cls):
        cls.scene = Scene()
        cls.scene.make_dataset()

    @classmethod
    def tearDownClass(cls):
        cls.scene.close()

    def train(self, out, code=0, **variables):
        """What a run into the folder `out` prints, which has to exit with `code`."""
        done = self.scene.run("02a_model_training.sh", **(self.settings | dict(OUTPUT_DIR=out) | variables))
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr
