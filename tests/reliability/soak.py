"""Short runs with random settings, killed, signalled and resumed at random moments, each against an undisturbed one.

    soak.py PROGRAM [MINUTES]     60 minutes without a number; STRIDER_SEED: of everything that is drawn

Every pair must end with the same bits, whatever the numbers of threads. Each run's memory is held against what the
program foresaw, and one longer run's against itself. A pair that differs is kept, and its settings are printed.
"""

import dataclasses
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from small_run import GOLDEN, HANG_SECONDS, Failure, SmallRun, check, check_same, result, scratch_folder

MEGABYTE = 1_000_000
UNITS = {"bytes": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
STOPPING = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 128 + signal.SIGTERM, signal.SIGINT: 128 + signal.SIGINT,
            signal.SIGHUP: 128 + signal.SIGHUP}
LONG_STEPS = 12_000  # of the run whose memory is watched: a minute or so
GROWTH = 1 * MEGABYTE


@dataclasses.dataclass
class Sitting:
    code: int
    text: str
    peak: int  # bytes of resident memory


def memory_of(process, what):
    """VmRSS or VmHWM (its highest value so far) in bytes; None when the process has ended."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    found = re.search(rf"^{what}:\s*(\d+) kB", status, re.M)
    return int(found[1]) * 1024 if found else None


class PeakMemory(threading.Thread):
    """Asks the process again and again: what wait4 reports has the memory of this Python in it, from before exec."""

    def __init__(self, process):
        super().__init__()
        self.process, self.bytes, self.ended = process, 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.005):
            self.bytes = max(self.bytes, memory_of(self.process, "VmHWM") or 0)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


class SoakRun(SmallRun):
    """A run of the given options in a folder of its own; its output goes to a file, so that no pipe can fill."""

    def __init__(self, program, folder, options, config):
        super().__init__(program, folder)
        (self.folder / "config.json").write_text(json.dumps(config))
        self.log = self.folder / "log.txt"
        self.command = [self.command[0], "train", "--config", "config.json", "--output_dir", "out"]
        for name, value in options.items():
            self.command += [f"--{name}", str(value)]

    def sit(self, threads, disturb=lambda process: None):
        with open(self.log, "wb") as output:
            process = subprocess.Popen([*self.command, "--threads", str(threads)], cwd=self.folder,
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
            # os.kill, since Popen's own would take the exit code before its time.
            guard = threading.Timer(10 * HANG_SECONDS, os.kill, (process.pid, signal.SIGKILL))
            guard.start()
            with PeakMemory(process.pid) as peak:
                disturb(process)
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            process.wait()
            guard.cancel()
        return Sitting(process.returncode, self.log.read_text(errors="replace"), peak.bytes)

    def sit_through(self, threads):
        sitting = self.sit(threads)
        check(sitting.code == 0, f"a run that nothing disturbs ends with exit code {sitting.code}:\n{sitting.text}")
        return sitting


def draw_options(draw, datasets):
    dataset = draw.choice(datasets)
    eval_steps = draw.randint(1, 8)
    options = {
        "dataset_dir": dataset,
        "batch_size": draw.randint(1, 16),
        "gradient_accumulation_steps": draw.choice([1, 1, 2, 3]),
        "max_length": draw.choice([2, 5, 16, 24, 24, 40]),
        "max_steps": draw.randint(20, 160),
        "eval_steps": eval_steps,
        "save_steps": eval_steps * draw.randint(1, 4),
        "logging_steps": draw.randint(1, 7),
        "save_total_limit": draw.choice(["all", 1, 2, 3]),
        "loss_denominator": draw.choice(["predictions", "labels"]),
        "lr_scheduler": draw.choice(["linear", "cosine", "constant"]),
        "learning_rate": draw.choice([1e-4, 5e-4, 3e-3]),
        "warmup_steps": draw.randint(0, 6),
        "weight_decay": draw.choice([0, 0.01]),
        "average_share": draw.choice([0, 0.3, 1]),
        "average_every": draw.choice([1, 3]),
        "max_grad_norm": draw.choice([0, 0.5, 1]),
        # Not auto: what is faster at the moment may differ between the two runs.
        "precision": draw.choice(["float32", "float32", "bfloat16"]),
        "seed": draw.randint(0, 2**32 - 1),
    }
    head_dim = draw.choice([2, 4, 8, 16])
    key_value_heads = draw.choice([1, 2, 3])
    heads = key_value_heads * draw.choice([1, 1, 2, 4])
    config = {
        "hidden_size": head_dim * heads, "intermediate_size": draw.choice([8, 24, 64, 100]),
        "num_hidden_layers": draw.randint(1, 4), "num_attention_heads": heads,
        "num_key_value_heads": key_value_heads, "tie_word_embeddings": draw.random() < 0.3}
    return options, config


def without_requested(facts, options):
    """Checkpoints that a signal asked for stay where all do: they are no part of the result."""
    def is_requested(name):
        step = re.fullmatch(r"checkpoint-(\d+)", re.split("[/:]", name)[0])
        return step and int(step[1]) % options["save_steps"] != 0 and int(step[1]) != options["max_steps"]

    kept = {name: fact for name, fact in facts.items() if not is_requested(name)}
    return {**kept, "names": [name for name in facts["names"] if not is_requested(name)]}


class Soak:
    def __init__(self, program, scratch, draw):
        self.program, self.scratch, self.draw = program, scratch, draw
        self.datasets = [GOLDEN / "dataset", *self.made_datasets()]
        self.counts = dict.fromkeys([*STOPPING, signal.SIGUSR1], 0)
        self.pairs = self.sittings = self.inside = self.without_validation = 0
        self.spared = []

    def made_datasets(self):
        """One with a validation split and one without."""
        def strider(*arguments):
            subprocess.run([self.program, *arguments], cwd=self.scratch, check=True, stdout=subprocess.DEVNULL)

        grid = ["--topology", "klein_x", "--H", "5", "--W", "6"]
        strider("graph", *grid, "--output_dir", "graph")
        strider("walks", *grid, "--graph_dir", "graph", "--out", "walks.csv", "--max_length", "40", "--max_seqs", "600",
                "--restart_prob", "0.02")
        for name, share in (("validated", "0.9"), ("unvalidated", "1")):
            strider("dataset", "--input_csv", "walks.csv", "--output_dir", name, "--train_split", share)
            yield self.scratch / name

    def check_memory(self, sitting):
        foreseen = re.search(r"^ *Memory: ([\d.]+) (bytes|kB|MB|GB) of ", sitting.text, re.M)
        check(foreseen, f"nothing says what memory the run takes:\n{sitting.text}")
        spared = float(foreseen[1]) * UNITS[foreseen[2]] - sitting.peak
        check(spared >= 0, f"the run took {-spared / MEGABYTE:.1f} MB more than was foreseen:\n{sitting.text}")
        self.spared.append(spared)

    def disturb(self, run, usual_seconds):
        """One sitting that gets a signal at a random moment; whether the run came to its end all the same."""
        number = self.draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, *STOPPING, signal.SIGUSR1])
        delay = self.draw.uniform(0, 0.7 * usual_seconds)
        in_writing = self.draw.random() < 0.4
        arrived = {}

        def send(process):
            time.sleep(delay)
            end = time.monotonic() + 0.2 * usual_seconds
            while in_writing and not run.partials() and time.monotonic() < end:
                pass
            arrived["started"] = "Machine:" in run.log.read_text(errors="replace")
            arrived["inside"] = bool(run.partials())
            os.kill(process.pid, number)

        sitting = run.sit(self.draw.randint(1, 3), send)
        self.sittings += 1
        self.counts[number] += 1
        self.inside += arrived["inside"]
        # Before its handlers are installed and after the run's end, a signal does what it does to any program.
        plainly = not arrived["started"] or (run.output / "strider_run.json").exists()
        allowed = {0, STOPPING.get(number, 0)} | ({-number} if plainly else set())
        check(sitting.code in allowed, f"after {number.name} the exit code is {sitting.code}:\n{sitting.text}")
        return sitting.code == 0

    def pair(self):
        options, config = draw_options(self.draw, self.datasets)
        self.without_validation += options["dataset_dir"].name == "unvalidated"
        folder = self.scratch / f"pair-{self.pairs}"
        whole = SoakRun(self.program, folder / "whole", options, config)
        began = time.monotonic()
        self.check_memory(whole.sit_through(self.draw.randint(1, 3)))
        usual_seconds = time.monotonic() - began
        disturbed = SoakRun(self.program, folder / "disturbed", options, config)
        try:
            for _ in range(self.draw.randint(1, 6)):
                if self.disturb(disturbed, usual_seconds):
                    break
            disturbed.sit_through(self.draw.randint(1, 3))
            check_same(disturbed, result(whole), "the disturbed one of two runs",
                       lambda facts: without_requested(facts, options))
        except Failure as failure:
            kept = pathlib.Path(f"soak-failure-{os.getpid()}-{self.pairs}")
            shutil.copytree(folder, kept)
            raise Failure(f"{failure}\npair {self.pairs}, kept in {kept}:\n{json.dumps(config)}\n"
                          f"{json.dumps(options, default=str)}") from failure
        shutil.rmtree(folder)
        self.pairs += 1

    def long_run(self):
        """Resident memory over one longer run with many checkpoints and evaluations: what it grows by, in bytes."""
        config = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        options = {"dataset_dir": GOLDEN / "dataset", "batch_size": 8, "max_length": 24, "max_steps": LONG_STEPS,
                   "save_steps": LONG_STEPS // 60, "eval_steps": LONG_STEPS // 120, "logging_steps": LONG_STEPS // 60}
        samples = []

        def watch(process):
            while True:
                resident = memory_of(process.pid, "VmRSS")
                if resident is None:
                    return
                samples.append(resident)
                time.sleep(0.05)

        sitting = SoakRun(self.program, self.scratch / "long", options, config).sit(2, watch)
        check(sitting.code == 0, f"the longer run ends with exit code {sitting.code}:\n{sitting.text}")
        check(len(samples) > 100, f"the longer run is too short to say anything: {len(samples)} samples")
        quarter = len(samples) // 4
        early, late = max(samples[quarter:2 * quarter]), max(samples[-quarter:])
        check(late - early < GROWTH, f"memory grows: {early} bytes in the second quarter, {late} in the last one")
        print(f"one run of {LONG_STEPS} steps, 60 checkpoints and 120 evaluations: at most {early / MEGABYTE:.2f} MB "
              f"resident in its second quarter, {late / MEGABYTE:.2f} MB in its last ({len(samples)} samples)", flush=True)

    def summary(self):
        signals = ", ".join(f"{count} {number.name}" for number, count in self.counts.items())
        return (f"{self.pairs} settings ({self.without_validation} without validation), {self.sittings} disturbed "
                f"sittings: {signals}; {self.inside} of them inside the writing of a file or folder: 0 differences\n"
                f"memory that was foreseen and not taken: {min(self.spared) / MEGABYTE:.1f} to "
                f"{max(self.spared) / MEGABYTE:.1f} MB")


def main():
    program = os.path.abspath(sys.argv[1])
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    seed = int(os.environ.get("STRIDER_SEED", str(time.time_ns() % 1_000_000)))
    print(f"seed {seed}", flush=True)
    began = reported = time.monotonic()
    with scratch_folder() as scratch:
        soak = Soak(program, pathlib.Path(scratch), random.Random(seed))
        soak.long_run()
        while time.monotonic() - began < 60 * minutes:
            soak.pair()
            if time.monotonic() - reported > 300:
                reported = time.monotonic()
                print(f"after {(reported - began) / 60:.0f} min: {soak.summary()}", flush=True)
    print(f"{(time.monotonic() - began) / 60:.0f} minutes\n{soak.summary()}", flush=True)


if __name__ == "__main__":
    main()
