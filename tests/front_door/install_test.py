"""make install: what is under the prefix works from there, in a shell that knows nothing of the build folder."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from scene import ROOT, TINY, Scene

BUILD = Path(os.environ["STRIDER"]).resolve().parent


def install(prefix, **environment):
    done = subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], env=dict(os.environ, **environment), text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = Scene()
        cls.prefix = cls.scene.folder / "prefix"
        install(cls.prefix)
        cls.share = cls.prefix / "share/strider"

    @classmethod
    def tearDownClass(cls):
        cls.scene.close()

    def run_there(self, *command, **variables):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.scene.folder)}
        return subprocess.run(command, cwd=self.scene.folder, env=environment | {k: str(v) for k, v in variables.items()},
                              text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)

    def test_what_is_there(self):
        scripts = [path.name for path in ROOT.glob("0*.sh")]
        self.assertGreaterEqual(len(scripts), 6)
        presets = [path.name for path in (ROOT / "configs").glob("*.json")]
        wanted = ["bin/strider", "share/man/man1/strider.1", "share/man/man1/strider-train.1",
                  "share/bash-completion/completions/strider", "share/zsh/site-functions/_strider",
                  "share/fish/vendor_completions.d/strider.fish", "share/strider/steps/front_door.sh",
                  "share/strider/steps/default_run.sh", *(f"share/strider/{name}" for name in scripts),
                  *(f"share/strider/configs/{name}" for name in presets)]
        for name in wanted:
            file = self.prefix / name
            self.assertTrue(file.is_file() and file.stat().st_size > 0, name)
        for name in scripts:
            self.assertTrue(os.access(self.share / name, os.X_OK), name)

    def test_the_program_needs_nothing_of_the_build_folder(self):
        moved = self.scene.folder / "moved"
        shutil.copytree(self.prefix, moved, symlinks=True)
        done = self.run_there("ldd", moved / "bin/strider")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("not found", done.stdout)
        self.assertNotIn(str(ROOT), done.stdout)
        done = self.run_there(moved / "bin/strider", "--version")
        self.assertRegex(done.stdout, r"^strider \d+\.\d+")
        done = self.run_there(moved / "share/strider/01a_graph_generation.sh", H=3, W=4)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_chain_of_scripts_from_there(self):
        for script in ("01a_graph_generation.sh", "01b_sequence_generation.sh", "01c_dataset_preparation.sh",
                       "02a_model_training.sh", "02b_representation_extraction.sh"):
            done = self.run_there(self.share / script, **(TINY | dict(RUN_NAME="400K_llama", MAX_STEPS=2)))
            self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout}\n{done.stderr}")
        folder = self.scene.folder / "results/torus_4x5/400K_llama/token_representations"
        self.assertEqual(json.loads((folder / "extraction_summary.json").read_text())["vocab_size"], 20)

    def test_a_program_that_is_gone_is_named(self):
        moved = self.scene.folder / "without program"
        shutil.copytree(self.share, moved / "share/strider")
        done = self.run_there(moved / "share/strider/01a_graph_generation.sh", H=3, W=4)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the program is not where it was installed", done.stderr)

    def test_a_stage_for_packages(self):
        with tempfile.TemporaryDirectory() as stage:
            install("/usr", DESTDIR=stage)
            self.assertTrue((Path(stage) / "usr/bin/strider").is_file())
            self.assertTrue((Path(stage) / "usr/share/man/man1/strider-train.1").is_file())
            self.assertEqual({path.name for path in Path(stage).iterdir()}, {"usr"})
            for file in ("usr/share/man/man1/strider.1", "usr/share/strider/steps/program"):
                self.assertNotIn(stage, (Path(stage) / file).read_text())

    def test_make_passes_both_on(self):
        done = subprocess.run(["make", "-n", "install", "PREFIX=/some where", "DESTDIR=/stage"], cwd=ROOT, text=True,
                              capture_output=True)
        self.assertIn('DESTDIR="/stage" cmake --install build --prefix "/some where"', done.stdout)
        done = subprocess.run(["make", "-n", "install"], cwd=ROOT, text=True, capture_output=True)
        self.assertIn('--prefix "/usr/local"', done.stdout)


if __name__ == "__main__":
    unittest.main()
