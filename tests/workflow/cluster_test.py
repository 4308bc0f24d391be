"""A sweep on a real Slurm of one node, a requeued job in the middle of it: the same files as on the cores of this machine."""
import re
import subprocess
import time
import unittest

from gpu_log import GpuLog
from scene import ROOT, Scene

SWEEP = dict(surfaces=["torus", "klein_x", "sphere", "mobius_x"], sizes=["4x5", "6x6"], seeds=[1, 2],
             settings={"MAX_STEPS": 3000, "EVAL_STEPS": 100, "BATCH_SIZE": 8, "SAVE_TOTAL_LIMIT": 2})
SLURM = ["--profile", ROOT / "workflow/profiles/slurm", "--slurm-status-command", "squeue",
         "--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1", "--latency-wait", "5"]


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class ClusterTest(unittest.TestCase):
    def test_the_same_files_as_locally_after_a_job_was_requeued(self):
        cluster, local = Scene(), Scene()
        for scene in (cluster, local):
            self.addCleanup(scene.close)
            scene.write(**SWEEP)
        process = cluster.start(*SLURM)
        self.addCleanup(process.kill)
        run, job = self.train_job_with_a_checkpoint(cluster, process)
        subprocess.run(["scontrol", "requeue", job], check=True)
        print(f"requeued job {job}, the training of {run.relative_to(cluster.folder)}", flush=True)
        self.assertFalse((run / "strider_run.json").exists(), "the run was finished before its job was requeued")
        text = process.communicate()[0]
        self.assertEqual(process.returncode, 0, text)
        self.assertIn("16 runs are finished", text)
        log = (cluster.folder / "results/logs" / run.relative_to(cluster.folder / "results") / "train.log").read_text()
        self.assertIn("Going on after step", log)
        local.must("--cores", "all")
        there, here = cluster.digests(), local.digests()
        self.assertEqual(sorted(there), sorted(here))
        self.assertEqual([name for name in here if here[name] != there[name]], [])
        self.assertGreater(len(here), 16 * 15)

    def test_a_training_job_has_a_gpu_of_its_own_or_a_shard(self):
        for runs_per_gpu, options, most in [(1, [], 1), (2, ["--set-resources", "train:gpu=0", "train:gres='shard:1'"], 2)]:
            with self.subTest(options):
                scene = Scene()
                self.addCleanup(scene.close)
                log = GpuLog(scene)
                log.stand_in(together=2, seconds=1)
                scene.write(surfaces=["torus"], seeds=[1, 2], gpus=2, runs_per_gpu=runs_per_gpu)
                scene.must(*SLURM, *options)
                found = log.most_at_once()
                self.assertEqual(sum(event["gpu"] in ("0", "1") for event in log.events("begin")), 2)
                self.assertLessEqual(max(found.get(gpu, 0) for gpu in ("0", "1")), most)
                self.assertEqual({event["gpu"] for event in log.events("plan", "extract")}, {None})

    def train_job_with_a_checkpoint(self, scene, process):
        """The folder of a run that is half done, and the number of its job."""
        until = time.monotonic() + 300
        while time.monotonic() < until and process.poll() is None:
            for line in output_of("squeue", "-h", "-t", "RUNNING", "-o", "%i %k").splitlines():
                found = re.fullmatch(r"(\d+) rule_train_wildcards_(.*)", line)
                if not found:
                    continue
                for run in scene.folder.glob("results/*/short/tiny_*"):
                    is_its_job = run.parents[1].name in found[2] and run.name in found[2]
                    if is_its_job and list(run.glob("checkpoint-*")) and not (run / "strider_run.json").exists():
                        return run, found[1]
            time.sleep(0.05)
        self.fail("no training job with a checkpoint was seen:\n" + (process.communicate()[0] if process.poll() else ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
