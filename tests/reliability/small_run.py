"""A training run of a fraction of a second on golden data, and what two runs of the same settings must share."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "run"
TIMES = {"eval_runtime", "eval_samples_per_second", "eval_steps_per_second",
         "train_runtime", "train_samples_per_second", "train_steps_per_second"}
PARTIAL = ".partial-"
HANG_SECONDS = 60


class Failure(Exception):
    """A promise that does not hold."""


def check(holds, text):
    if not holds:
        raise Failure(text)


def scratch_folder():
    """In memory where the machine has such a folder: what is tested here is not how long a disk takes to flush."""
    memory = pathlib.Path("/dev/shm")
    place = memory if "TMPDIR" not in os.environ and os.access(memory, os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix="strider-reliability-", dir=place)


def read_until(process, pattern):
    """Reads what the program prints up to the first line that matches."""
    for line in process.stdout:
        if re.search(pattern, line):
            return
    check(False, f"the program ended before it printed {pattern}")


class SmallRun:
    """Runs into `out` below a folder of its own. Paths are relative, so that every run has the same settings."""

    def __init__(self, program, folder, save_steps=10, max_steps=60):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.output = self.folder / "out"
        self.command = [
            str(pathlib.Path(program).resolve()), "train", "--dataset_dir", str(GOLDEN / "dataset"),
            "--config", str(GOLDEN / "init" / "config.json"), "--output_dir", "out",
            "--batch_size", "8", "--max_length", "24", "--warmup_steps", "5", "--max_steps", str(max_steps),
            "--save_steps", str(save_steps), "--eval_steps", str(save_steps), "--logging_steps", "3"]

    def start(self, threads=1, environment=None, more=()):
        return subprocess.Popen(
            [*self.command, "--threads", str(threads), *more], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **(environment or {})})

    def run(self, **options):
        """The exit code and all that was printed. A run that hangs is killed and fails the test."""
        process = self.start(**options)
        try:
            text, _ = process.communicate(timeout=HANG_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failure(f"the run hangs:\n{process.communicate()[0]}")
        return process.returncode, text

    def finish(self, **options):
        code, text = self.run(**options)
        check(code == 0, f"a run that nothing disturbs ends with exit code {code}:\n{text}")
        return text

    def names(self):
        """What is in the output folder."""
        return sorted(os.listdir(self.output)) if self.output.is_dir() else []

    def partials(self):
        return [name for name in self.names() if PARTIAL in name]


def without_times(log):
    return [{name: value for name, value in entry.items() if name not in TIMES} for entry in log]


def result(run):
    """Everything that two runs of the same settings must have in common, by name."""
    # Each sitting has an event file of its own.
    facts = {"names": [name for name in run.names() if not name.startswith("events.out.tfevents.")]}
    for name in facts["names"]:
        path = run.output / name
        if name.startswith("checkpoint-") or name == "final_model":
            facts[f"{name}: files"] = sorted(os.listdir(path))
            for file in facts[f"{name}: files"]:
                if file not in ("trainer_state.json", "strider_state.json"):
                    facts[f"{name}/{file}"] = (path / file).read_bytes()
        if name.startswith("checkpoint-"):
            facts[f"{name}: log"] = without_times(json.loads((path / "trainer_state.json").read_text())["log_history"])
    state = json.loads((run.output / "trainer_state.json").read_text())
    state["log_history"] = without_times(state["log_history"])
    facts["trainer_state.json"] = state
    finished = json.loads((run.output / "strider_run.json").read_text())
    del finished["result"]["seconds"], finished["crc32"]
    facts["strider_run.json"] = finished
    return facts


def check_same(run, expected, when, choose=lambda facts: facts):
    """`choose` leaves of a result what must be the same."""
    check(not run.partials(), f"{when}: half-written files are left: {run.partials()}")
    expected, found = choose(expected), choose(result(run))
    for name in sorted({*expected, *found}):
        same = name in found and name in expected and found[name] == expected[name]
        shown = "" if isinstance(expected.get(name), bytes) else f": {found.get(name)} instead of {expected.get(name)}"
        check(same, f"{when}: {name} is not that of the run that was never stopped{shown}"[:2000])
