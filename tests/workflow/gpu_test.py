"""Sweeps whose runs share GPUs, on a machine that needs none: a stand-in writes down which GPU each run was given, and how
many were at work at once."""
import os
import signal
import subprocess
import unittest
from collections import Counter

from gpu_log import GpuLog
from scene import ROOT, Scene

SLOT = ROOT / "workflow/gpu_slot.sh"


class GpuTest(unittest.TestCase):
    def setUp(self):
        self.scene = Scene()
        self.addCleanup(self.scene.close)
        # Locks of this test alone.
        self.scene.environment["TMPDIR"] = str(self.scene.folder)
        self.scene.environment.pop("CUDA_VISIBLE_DEVICES", None)
        self.log = GpuLog(self.scene)

    def slot(self, gpus, slots, *command):
        return subprocess.Popen(["bash", SLOT, gpus, str(slots), *command], env=self.scene.environment, text=True,
                                stdout=subprocess.PIPE)

    # The slots.

    def test_a_slot_is_given_once_and_every_slot_is_used(self):
        program = self.log.stand_in(together=4, seconds=0.2)
        # Names as CUDA has them: an index, and a part of a GPU by the name that older drivers give it.
        processes = [self.slot("3,MIG-GPU-5/1/0", 2, program, "train") for _ in range(12)]
        texts = [process.communicate()[0] for process in processes]
        self.assertEqual([process.returncode for process in processes], [0] * 12, texts)
        self.assertEqual(self.log.most_at_once(), {"3": 2, "MIG-GPU-5/1/0": 2, "all": 4})
        self.assertIn("Waiting for a slot: other runs have all 2 of each GPU of 3 MIG-GPU-5/1/0", "".join(texts))
        used = {text.splitlines()[-1] for text in texts}
        self.assertEqual(used, {f"GPU {gpu}, slot {slot} of 2" for gpu in ("3", "MIG-GPU-5/1/0") for slot in (1, 2)})

    def test_runs_are_spread_over_gpus_before_they_share_one(self):
        program = self.log.stand_in(together=2)
        processes = [self.slot("0,1", 4, program, "train") for _ in range(2)]
        for process in processes:
            process.communicate()
        self.assertEqual(self.log.most_at_once(), {"0": 1, "1": 1, "all": 2})

    def test_a_run_that_is_killed_frees_its_slot(self):
        first = self.slot("0", 1, "sleep", "1000")
        self.assertEqual(first.stdout.readline(), "GPU 0, slot 1 of 1\n")
        second = self.slot("0", 1, "sh", "-c", "echo $CUDA_VISIBLE_DEVICES")
        self.assertIn("Waiting for a slot", second.stdout.readline())
        self.assertIsNone(second.poll())
        first.kill()
        self.assertEqual(second.communicate(timeout=60)[0], "GPU 0, slot 1 of 1\n0\n")
        first.communicate()

    def test_signals_and_exit_status_are_those_of_the_command(self):
        run = self.slot("0", 1, "sleep", "1000")
        run.stdout.readline()
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
        self.assertEqual(run.returncode, -signal.SIGTERM)
        failing = self.slot("0", 1, "sh", "-c", "exit 7")
        failing.communicate()
        self.assertEqual(failing.returncode, 7)

    def test_a_folder_of_somebody_else_is_refused(self):
        (self.scene.folder / "elsewhere").mkdir()
        (self.scene.folder / f"strider-gpus-{os.getuid()}").symlink_to("elsewhere")
        run = subprocess.run(["bash", SLOT, "0", "1", "true"], env=self.scene.environment, capture_output=True, text=True,
                             check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("belongs to somebody else", run.stderr)

    # Whole sweeps.

    def test_runs_of_a_sweep_share_the_gpus_that_the_user_leaves(self):
        self.log.stand_in(together=4)
        self.scene.environment["CUDA_VISIBLE_DEVICES"] = "94,92,97"  # no machine has them
        self.scene.write(surfaces=["torus"], seeds=[1, 2, 3, 4, 5, 6], gpus=2, runs_per_gpu=2)
        text = self.scene.must("--cores", "8")
        self.assertEqual(self.log.most_at_once(), {"94": 2, "92": 2, "all": 4})
        runs = self.log.events("begin")
        self.assertEqual(len(runs), 6)
        self.assertEqual({run["threads"] for run in runs}, {"1"})
        # No other step takes a GPU.
        others = self.log.events("plan", "extract")
        self.assertEqual(len(others), 12)
        self.assertEqual({other["gpu"] for other in others}, {"94,92,97"})
        self.assertEqual({other["device"] for other in others}, {"cpu"})
        # Snakemake starts no run for which there is no slot: none waits, and takes a core meanwhile.
        for seed in range(1, 7):
            log = self.scene.folder / f"results/logs/torus_4x5/short/tiny_reference_plain_{seed}/train.log"
            self.assertRegex(log.read_text(), r"^GPU 9[24], slot [12] of 2\n")
        # There is no such GPU, and DEVICE is auto: the sweep says what became of that.
        self.assertEqual(text.count("Without a GPU: torus_4x5/short/tiny_reference_plain_"), 6)
        self.assertIn("DEVICE=auto: the run is on the CPU, since ", text)

    def test_gpus_change_no_file_and_no_setting(self):
        # How a sweep is run is no setting of its runs: what is there stays, with and without GPUs.
        self.scene.write(surfaces=["torus"], seeds=[1])
        self.scene.must()
        before = self.scene.digests()
        self.scene.write(surfaces=["torus"], seeds=[1], gpus=1, runs_per_gpu=2)
        self.assertIn("Nothing to be done", self.scene.must())
        fresh = Scene()
        self.addCleanup(fresh.close)
        fresh.environment = {**self.scene.environment, "TMPDIR": str(fresh.folder)}
        fresh.write(surfaces=["torus"], seeds=[1], gpus=1)
        fresh.must()
        self.assertEqual(fresh.digests(), before)

    def test_without_gpus_a_sweep_is_as_before(self):
        self.log.stand_in(together=4)
        self.scene.write(surfaces=["torus"], seeds=[1, 2, 3, 4])
        text = self.scene.must("--cores", "4")
        self.assertEqual(self.log.most_at_once(), {None: 4, "all": 4})
        self.assertEqual({event["device"] for event in self.log.events("plan", "begin", "extract")}, {None})
        self.assertNotRegex(text, "gpu_slot|gpu=|Without a GPU")
        self.assertFalse(list(self.scene.folder.glob("strider-gpus-*")))

    def test_runs_on_the_cpu_take_no_slot(self):
        self.log.stand_in(together=1)
        self.scene.write(surfaces=["torus"], seeds=[1], gpus=1, settings={"MAX_STEPS": 20, "EVAL_STEPS": 10, "BATCH_SIZE": 8},
                         training={"device": {"DEVICE": "auto"}, "host": {"DEVICE": "cpu"}, "old": {"USE_CPU": True}})
        self.scene.must("--cores", "4")
        self.assertEqual(sorted((run["gpu"] or "", run["device"]) for run in self.log.events("begin") if run["device"]),
                         [("", "cpu"), ("0", "auto")])
        self.assertEqual(Counter(run["gpu"] for run in self.log.events("begin")), {"0": 1, None: 2})

    def test_a_run_for_the_gpu_alone_fails_without_one_and_its_plan_does_not(self):
        self.log.stand_in(together=1)
        self.scene.environment["CUDA_VISIBLE_DEVICES"] = "77"  # no machine has it
        self.scene.write(surfaces=["torus"], seeds=[1], gpus=1,
                         settings={"DEVICE": "cuda", "PRECISION": "tf32", "MAX_STEPS": 20, "EVAL_STEPS": 10, "BATCH_SIZE": 8})
        status, text = self.scene.run()
        self.assertEqual(status, 1)
        self.assertIn("Not finished: train of torus_4x5/short/tiny_reference_plain_1", text)
        self.assertIn("DEVICE=cuda asks for the GPU", text)
        self.assertEqual([(plan["device"], plan["precision"]) for plan in self.log.events("plan")], [("cpu", "float32")])
        self.assertEqual([(run["device"], run["precision"], run["gpu"]) for run in self.log.events("begin")],
                         [("cuda", "tf32", "77")])

    def test_too_few_cores_are_said(self):
        self.scene.write(surfaces=["torus"], seeds=[1], gpus=1, runs_per_gpu=4)
        self.assertIn("room for 4 runs at once, 2 cores for 2: --cores 4 ", self.scene.must("--cores", "2"))
        self.scene.write(surfaces=["torus"], seeds=[2], gpus=1, runs_per_gpu=4)
        self.assertNotIn("room for", self.scene.must("--cores", "4"))

    def test_bad_values_are_refused_with_file_and_key(self):
        cpu = {"DEVICE": "cpu"}
        for changes, visible, expected in [
            (dict(gpus=0), None, "sweep.yaml: gpus: 0 is less than the minimum of 1"),
            (dict(gpus="all"), None, "sweep.yaml: gpus: 'all' is not of type 'integer'"),
            (dict(gpus=1, runs_per_gpu=0), None, "sweep.yaml: runs_per_gpu: 0 is less than the minimum of 1"),
            (dict(runs_per_gpu=4), None, "sweep.yaml: runs_per_gpu: says how many runs share a GPU, and gpus, the number of "),
            (dict(gpus=1, settings=cpu), None, "sweep.yaml: gpus: no run takes a GPU: all have DEVICE=cpu or USE_CPU=true"),
            (dict(gpus=1, training={"a": cpu, "b": cpu}), None, "sweep.yaml: gpus: no run takes a GPU"),
            (dict(gpus=2), "5", 'sweep.yaml: gpus: 2, and CUDA_VISIBLE_DEVICES="5" names 1'),
            (dict(gpus=2), "5,5", 'sweep.yaml: gpus: 2, and CUDA_VISIBLE_DEVICES="5,5" names 1'),
            (dict(gpus=1), "", 'sweep.yaml: gpus: 1, and CUDA_VISIBLE_DEVICES="" names 0'),
            (dict(gpus=1), "-1,0", 'sweep.yaml: gpus: 1, and CUDA_VISIBLE_DEVICES="-1,0" names 0'),
        ]:
            with self.subTest(changes, visible=visible):
                self.scene.environment.pop("CUDA_VISIBLE_DEVICES", None)
                if visible is not None:
                    self.scene.environment["CUDA_VISIBLE_DEVICES"] = visible
                self.scene.write(**changes)
                status, text = self.scene.run()
                self.assertEqual(status, 1, text)
                self.assertIn(expected, text)
                self.assertNotIn("Traceback", text)
                self.assertFalse((self.scene.folder / "results").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
