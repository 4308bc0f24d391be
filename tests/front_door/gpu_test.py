"""What measures on a GPU, as far as that goes without one: scripts/gpu.sh, and bench/gpu.py with a CPU's runs and made-up times."""
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from scene import ROOT

sys.path.insert(0, str(ROOT / "bench"))
import gpu  # noqa: E402  (bench/ is no package)

PAGE = "before\n<!-- gpu: begin -->\nold\n<!-- gpu: end -->\nafter\n"


def made_up():
    """As gpu.py --keep writes it."""
    cases = [{"preset": "400K", "precision": "float32", "ms": [1.25, 1.0, 9.0], "weights": ["a", "a", "a"]},
             {"preset": "400K", "precision": "bfloat16", "ms": [], "weights": [], "refused": "of float32 alone"},
             {"preset": "12M", "precision": "float32", "ms": [20.0], "weights": ["b"]},
             {"preset": "12M", "precision": "bfloat16", "ms": [8.0], "weights": ["c"]}]
    peer = [{"preset": "400K", "precision": "float32", "compiled": False, "ms": [20.0, 25.0, 30.0]},
            {"preset": "12M", "precision": "bfloat16", "compiled": False, "ms": [24.0]},
            {"preset": "12M", "precision": "bfloat16", "compiled": True, "ms": [16.0]},
            {"preset": "400K", "precision": "bfloat16", "compiled": True, "ms": []}]
    return {"gpu": "NVIDIA H100 80GB HBM3", "driver": "580.1", "date": "2026-01-02", "turns": 3, "strider": cases, "peer": peer,
            "peer_versions": "torch 2, transformers 5", "failures": []}


class TableTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.page = Path(folder.name) / "page.md"
        self.page.write_text(PAGE)
        self.kept = Path(folder.name) / "measured.json"

    def write(self, found):
        """(the page, what was printed) by gpu.py --measured --write."""
        self.kept.write_text(json.dumps(found))
        done = subprocess.run([sys.executable, "-B", ROOT / "bench/gpu.py", "--measured", self.kept, "--write", self.page],
                              capture_output=True, text=True)
        self.code = done.returncode
        return self.page.read_text(), done.stdout + done.stderr

    def test_medians_ratios_and_least_times(self):
        page, _ = self.write(made_up())
        self.assertEqual(self.code, 0)
        self.assertTrue(page.startswith("before\n<!-- gpu: begin -->\nGPU: NVIDIA H100 80GB HBM3, driver 580.1."), page)
        self.assertTrue(page.endswith("<!-- gpu: end -->\nafter\n"), page)
        least = gpu.least_ms("400K", "float32", "NVIDIA H100 80GB HBM3")
        self.assertIn(f"| 400K | float32 | 1.25 | 5,120,000 | {least:.2f} | {80 * least:.0f}% | 25.00 | 20.00x |  |  |", page)
        refused = gpu.least_ms("400K", "bfloat16", "NVIDIA H100 80GB HBM3")
        self.assertIn(f"| 400K | bfloat16 | refused |  | {refused:.2f} |  |  |  |  |  |", page)
        rounded = gpu.least_ms("12M", "bfloat16", "NVIDIA H100 80GB HBM3")
        self.assertIn(f"| 12M | bfloat16 | 8.00 | 800,000 | {rounded:.2f} | {100 * rounded / 8:.0f}% | 24.00 | 3.00x | 16.00 | 2.00x |", page)
        self.assertIn("Strider did not train 400K in bfloat16: of float32 alone.", page)
        self.assertIn("the same weights", page)

    def test_least_time_is_the_larger_of_arithmetic_and_memory(self):
        # Of 400K the bytes, of 12M the operations; a card without a data sheet has none.
        self.assertAlmostEqual(gpu.least_ms("400K", "float32", "NVIDIA H100 80GB HBM3"), 0.475, delta=0.1)
        self.assertAlmostEqual(gpu.least_ms("12M", "float32", "NVIDIA H100 80GB HBM3"), 11.4, delta=0.5)
        # Half of what is moved is operands, which are half as large; so are bytes what bfloat16 waits for.
        self.assertLess(gpu.least_ms("12M", "bfloat16", "NVIDIA H100 80GB HBM3"), 2.5)
        self.assertIsNone(gpu.least_ms("12M", "float32", "NVIDIA Another"))

    def test_a_card_without_a_data_sheet_and_no_peer(self):
        page, _ = self.write(made_up() | {"gpu": "NVIDIA Another", "peer": [], "peer_versions": None})
        self.assertIn("has no data sheet of this GPU", page)
        self.assertIn("HF Trainer was not measured.", page)
        self.assertIn("| 12M | float32 | 20.00 | 320,000 |  |  |  |  |  |  |", page)

    def test_what_went_wrong_is_printed_and_not_written(self):
        found = made_up()
        found["strider"][0]["weights"] = ["a", "a", "b"]
        for wrong, said in ((found, "different weights: 400K in float32"),
                            (made_up() | {"failures": ["HF Trainer: exit code 1"]}, "Failed: HF Trainer: exit code 1")):
            page, printed = self.write(wrong)
            self.assertEqual((self.code, page), (1, PAGE))
            self.assertIn(said, printed)

    def test_the_page_has_the_place(self):
        page = (ROOT / "docs/performance.md").read_text()
        self.assertEqual((page.count(gpu.BEGIN), page.count(gpu.END)), (1, 1))


class MeasureTest(unittest.TestCase):
    """On the CPU, since a GPU is not there: what a run leaves and says is the same."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.strider = gpu.Strider(Path(os.environ["STRIDER"]), None, Path(cls.folder.name), device="cpu")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_times_a_run_and_knows_its_weights(self):
        runs = [self.strider.train("400K", "float32", steps=3, window=1) for _ in range(2)]
        self.assertGreater(runs[0]["ms"], 0)
        self.assertEqual(runs[0]["weights"], runs[1]["weights"])
        self.assertEqual(len(runs[0]["weights"]), 64)

    def test_failures_and_refusals_do_not_end_it(self):
        with mock.patch.dict(os.environ, {"CUDA_VISIBLE_DEVICES": ""}):
            blind = gpu.Strider(Path(os.environ["STRIDER"]), None, Path(self.folder.name))
        self.assertIn("refused", blind.train("400K", "float32", steps=3, window=1))
        failed = self.strider.train("400K", "float64", steps=3, window=1)
        self.assertIn("float64", failed["failed"])

    def test_turns(self):
        """Each case by its answers, turn by turn; HF Trainer fails in the second."""
        answers = {"float32": {"ms": 2.0, "weights": "w", "gpu": "NVIDIA Fast"}, "bfloat16": {"refused": "no"}}
        strider = mock.Mock()
        strider.train.side_effect = lambda preset, precision: answers[precision]
        row = {"preset": "2M", "precision": "bfloat16", "compiled": True, "step_ms": 5.0, "torch": "2", "transformers": "5"}
        kept = []
        with mock.patch.object(gpu, "driver_version", return_value="1"), contextlib.redirect_stderr(io.StringIO()), \
                mock.patch.object(gpu, "peer_turn", side_effect=[([row], None), ([], "exit code 1: no memory")]):
            found = gpu.measure(strider, "python", 2, lambda so_far: kept.append(so_far["turns"]))
        self.assertEqual((found["gpu"], kept), ("NVIDIA Fast", [1, 2]))
        self.assertEqual(strider.train.call_count, 2 * 4 + 4)  # a case that was refused is not tried again
        self.assertEqual([case["ms"] for case in found["peer"] if case["ms"]], [[5.0]])
        self.assertEqual(found["failures"], ["HF Trainer: exit code 1: no memory"])


class ScriptTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.bin = Path(folder.name)
        self.command("nvidia-smi", "exit 9")

    def command(self, name, body):
        file = self.bin / name
        file.write_text(f"#!/usr/bin/env bash\n{body}\n")
        file.chmod(0o755)

    def run_script(self, *arguments, **variables):
        environment = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.bin)} | variables
        return subprocess.run([ROOT / "scripts/gpu.sh", *arguments], env=environment, capture_output=True, text=True)

    def test_a_machine_without_a_gpu_is_told_so_in_a_line(self):
        done = self.run_script()
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1), done.stderr)
        self.assertIn("no NVIDIA GPU", done.stderr)

    def test_a_python_without_torch_is_refused_before_anything_is_built(self):
        self.command("nvidia-smi", 'echo "GPU 0: NVIDIA Fast"')
        self.command("no-torch", "exit 1")
        done = self.run_script(PEERS_PYTHON="no-torch")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("PEERS_PYTHON", done.stderr)

    def test_what_it_does_not_know_prints_the_usage(self):
        for arguments in (["--foo"], ["--only", "nothing"], ["--write"]):
            done = self.run_script(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("--pack FILE", done.stderr)


if __name__ == "__main__":
    unittest.main()
