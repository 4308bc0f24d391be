"""The numbered scripts as programs: --help, arguments, hints that can be pasted, batch systems, readers that go."""
import os
import re
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

from scene import ROOT, TINY, Scene

SCRIPTS = sorted(path.name for path in ROOT.glob("0[12]*.sh"))
SMALL = TINY | dict(MAX_SEQS=200, EPOCHS=1, EVAL_STEPS=10, SAVE_STEPS=10)


class ScriptsTest(unittest.TestCase):
    def setUp(self):
        self.scene = Scene()
        self.addCleanup(self.scene.close)

    def call(self, command, script_path=None, **variables):
        return subprocess.run(command, cwd=self.scene.folder, env=self.scene.environment(**variables), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120)


class ArgumentTest(ScriptsTest):
    def test_help_prints_the_variables_and_makes_nothing(self):
        for script in SCRIPTS:
            for option in ("--help", "-h"):
                before = self.scene.files()
                done = self.call([ROOT / script, option])
                self.assertEqual((done.returncode, done.stderr), (0, ""), script)
                self.assertIn("RUN_NAME", done.stdout)
                self.assertEqual(self.scene.files(), before)

    def test_other_arguments_are_refused_with_advice(self):
        before = self.scene.files()
        for script in SCRIPTS:
            done = self.call([ROOT / script, "EPOCHS=5"])
            self.assertEqual(done.returncode, 2, script)
            self.assertIn(f"Put it before the script: EPOCHS=5 {str(ROOT / script)}", done.stderr)
            self.assertEqual(self.call([ROOT / script, "--epochs", "5"]).returncode, 2)
        self.assertEqual(self.scene.files(), before)

    def test_help_and_readme_have_the_same_variables_and_defaults(self):
        """The README gives names of folders by their pattern; every other default is compared."""
        readme = {}
        for names, default in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|([^|]*)\|", (ROOT / "README.md").read_text(), re.M):
            names = re.findall(r"`(\w+)`", names)
            defaults = default.strip().split(", ")
            for i, name in enumerate(names):
                readme.setdefault(name, set()).add(defaults[i] if len(defaults) == len(names) else default.strip())
        shared = {"H", "W", "TOPOLOGY", "RUN_NAME", "STRIDER"}
        seen = set()
        for script in SCRIPTS:
            text = self.call([ROOT / script, "--help"]).stdout
            for name, default in re.findall(r"^  ([A-Z_][A-Z0-9_]*) +\S.* \[(.*)\]$", text, re.M):
                if name in shared:
                    continue
                seen.add(name)
                self.assertIn(name, readme, f"{script}: {name} is not in the README")
                is_a_place = "results/" in default or default.startswith("configs/")
                if not is_a_place:
                    self.assertIn(default, readme[name], f"{script}: {name}")
        self.assertFalse({name for name in readme if name.isupper()} - seen - shared, "in the README alone")


class HintTest(ScriptsTest):
    def chain(self, first, **variables):
        """Runs a script and then whatever it and its followers say comes next, pasted into a shell."""
        done = self.call(first, **variables)
        calls = 1
        while True:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            hint = re.search(r"^Next step: .*\n  (.+)$", done.stdout, re.M)
            if not hint:
                return calls
            kept = {name: value for name, value in variables.items() if name in self.exported}
            done = self.call(["bash", "-c", hint[1]], **kept)
            calls += 1

    # What a chain needs besides what its hints carry: settings, which change no names.
    exported = set(SMALL) - {"H", "W", "RUN_NAME"} | {"STRIDER"}

    def test_every_hint_works_as_it_is(self):
        self.exported = self.exported | {"RUN_NAME"}
        self.assertEqual(self.chain([ROOT / SCRIPTS[0]], **SMALL), 5)
        self.assertTrue((self.scene.folder / "results/torus_4x5/tiny/token_representations").is_dir())

    def test_hints_carry_folders_with_spaces(self):
        here = self.scene.folder
        link = here / "the scripts"
        link.symlink_to(ROOT)
        places = dict(GRAPH_DIR="my graph", OUT="my walks/w.csv", TOPOLOGY="klein_x")
        self.assertEqual(self.call([link / SCRIPTS[0]], **SMALL, **places).returncode, 0)
        done = self.call([f"./the scripts/{SCRIPTS[1]}"], **SMALL, **places)
        hint = re.search(r"^Next step: .*\n  (.+)$", done.stdout, re.M)[1]
        self.assertIn("TOPOLOGY=klein_x", hint)
        self.assertEqual(self.call(["bash", "-c", hint]).returncode, 0)
        done = self.call([link / SCRIPTS[3]], **SMALL, TOPOLOGY="klein_x", OUTPUT_DIR="my run")
        self.assertEqual(done.returncode, 0, done.stderr)
        hint = re.search(r"^Next step: .*\n  (.+)$", done.stdout, re.M)[1]
        self.assertEqual(self.call(["bash", "-c", hint]).returncode, 0)
        self.assertTrue((here / "my run/token_representations/token_representations.npz").is_file())

    def test_the_program_names_itself_as_it_was_called(self):
        self.scene.make_dataset()
        program = self.scene.folder / "my strider"
        program.symlink_to(os.environ["STRIDER"])
        done = self.call(["./my strider", "train", "--dataset_dir", "results/torus_4x5/dataset", "--config",
                          "configs/config_tiny.json", "--output_dir", "a run", "--max_steps", "2"])
        hint = re.search(r"^Next step: .*\n  (.+)$", done.stdout, re.M)[1]
        self.assertEqual(self.call(["bash", "-c", hint]).returncode, 0, hint)


class NameTest(ScriptsTest):
    def test_a_config_gives_the_runs_name(self):
        self.scene.make_dataset()
        settings = {name: value for name, value in SMALL.items() if name != "RUN_NAME"}
        config = dict(CONFIG="configs/config_tiny.json")
        self.assertEqual(self.call([ROOT / SCRIPTS[3]], **settings, **config).returncode, 0)
        self.assertTrue((self.scene.folder / "results/torus_4x5/tiny/final_model").is_dir())
        self.assertEqual(self.call([ROOT / SCRIPTS[4]], **settings, **config).returncode, 0)
        self.assertEqual(self.call([ROOT / SCRIPTS[3]], **settings, **config, RUN_NAME="other").returncode, 0)
        self.assertTrue((self.scene.folder / "results/torus_4x5/other/final_model").is_dir())


class ReplaceTest(ScriptsTest):
    def test_walks_of_other_settings_are_not_replaced(self):
        self.scene.must(SCRIPTS[0], **SMALL)
        self.scene.must(SCRIPTS[1], **SMALL)
        before = self.scene.files()
        done = self.call([ROOT / SCRIPTS[1]], **(SMALL | dict(SEED=7)))
        self.assertEqual(done.returncode, 1)
        self.assertIn("SEED was 42, now 7", done.stderr)
        self.assertIn("OVERWRITE=true", done.stderr)
        self.assertEqual(self.scene.files(), before)
        self.scene.must(SCRIPTS[1], **SMALL)  # the same ones again
        self.assertEqual(self.scene.files(), before)
        self.scene.must(SCRIPTS[1], **(SMALL | dict(SEED=7, OVERWRITE="true")))
        self.scene.must(SCRIPTS[0], **SMALL, NEIGH=4)
        done = self.call([ROOT / SCRIPTS[1]], **(SMALL | dict(SEED=7)))
        self.assertIn("the graph is another", done.stderr)
        (self.scene.folder / "results/torus_4x5/sequences/walk_rule_torus_4x5.json").unlink()
        self.assertEqual(self.call([ROOT / SCRIPTS[1]], **(SMALL | dict(SEED=7))).returncode, 1)


class BatchSystemTest(ScriptsTest):
    def test_a_copy_finds_its_neighbours_where_the_job_was_submitted(self):
        spool = self.scene.folder / "spool"
        spool.mkdir()
        shutil.copy(ROOT / SCRIPTS[0], spool / "slurm_script")
        for variable in ("SLURM_SUBMIT_DIR", "PBS_O_WORKDIR", "SGE_O_WORKDIR", "LS_SUBCWD"):
            done = self.call([spool / "slurm_script"], **SMALL, **{variable: ROOT})
            self.assertEqual(done.returncode, 0, variable + done.stderr)
        done = self.call([spool / "slurm_script"], **SMALL, SLURM_SUBMIT_DIR=spool)
        self.assertEqual(done.returncode, 1)
        self.assertIn("sbatch --wrap", done.stderr)


class ReaderTest(ScriptsTest):
    def test_a_reader_that_goes_ends_no_script(self):
        self.scene.must(SCRIPTS[0], **SMALL)
        for script in SCRIPTS:
            done = self.call(["bash", "-c", f"{str(ROOT / script)!r} 2>&1 | head -1; exit ${{PIPESTATUS[0]}}"], **SMALL)
            self.assertEqual(done.returncode, 0, script)
        self.assertTrue((self.scene.folder / "results/torus_4x5/tiny/token_representations").is_dir())
        done = self.call(["bash", "-c", f"{str(ROOT / SCRIPTS[1])!r} >&-"], **SMALL)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_tee_and_ctrl_c_leave_a_checkpoint(self):
        self.scene.make_dataset()
        long = TINY | dict(EPOCHS=1000, SAVE_STEPS=100000, EVAL_STEPS=100000, LOGGING_STEPS=1)
        run = subprocess.Popen(["bash", "-c", f"{str(ROOT / SCRIPTS[3])!r} 2>&1 | tee log; exit ${{PIPESTATUS[0]}}"],
                               cwd=self.scene.folder, env=self.scene.environment(**long), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True, start_new_session=True)
        for line in run.stdout:
            if line.startswith("step 5/"):
                os.killpg(run.pid, signal.SIGINT)  # tee gets it too, and is gone first
                break
        run.stdout.close()
        run.wait(timeout=60)
        self.assertEqual(len(list((self.scene.folder / "results/torus_4x5/tiny").glob("checkpoint-*"))), 1)


class CopiedCloneTest(ScriptsTest):
    def test_a_copied_build_folder_is_configured_anew(self):
        clone = self.scene.folder / "clone"
        (clone / "build").mkdir(parents=True)
        shutil.copytree(ROOT / "scripts", clone / "scripts")
        (clone / "build/CMakeCache.txt").write_text("CMAKE_HOME_DIRECTORY:INTERNAL=/somewhere/else\n")
        tools = self.scene.folder / "tools"
        tools.mkdir()
        (tools / "cmake").write_text("#!/bin/sh\n[ -e build/CMakeCache.txt ] && echo kept >>calls || echo anew >>calls\n")
        for script in ("system_packages.sh", "python_env.sh"):
            (clone / "scripts" / script).write_text("#!/bin/sh\n")
        (tools / "cmake").chmod(0o755)

        def build():
            subprocess.run([clone / "scripts/build.sh", "program"], check=True, capture_output=True,
                           env=self.scene.environment() | {"PATH": f"{tools}:{os.environ['PATH']}"})
            return (clone / "calls").read_text().splitlines()[-1]

        self.assertEqual(build(), "anew")
        (clone / "build/CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={clone.resolve()}\n")
        self.assertEqual(build(), "kept")


if __name__ == "__main__":
    unittest.main()
