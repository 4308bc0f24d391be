#!/usr/bin/env python3
"""Times training steps on an NVIDIA GPU, Strider's and Hugging Face Trainer's in turn, and writes the table of docs/performance.md.

Usage: gpu.py PROGRAM [--turns 3] [--peer PYTHON] [--libraries FOLDER] [--keep FILE] [--write docs/performance.md]
       gpu.py --measured FILE [--write docs/performance.md]
PROGRAM is build/strider with GPU=1, --libraries a folder with libraries for it, PYTHON one with torch, transformers and
accelerate. --keep writes what was measured as JSON after every turn, from which --measured writes the table again on any
machine. scripts/gpu.sh calls this after its tests. What fails is named in the text and does not end the measurement; then
nothing is written into the page, and the exit code is 1. So it is where turns of the same run end with different weights.
"""
import argparse
import csv
import datetime
import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import gpu_step
from measure import PRESETS, table
from report import write_between
from walks import torus_walks

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- gpu: begin -->", "<!-- gpu: end -->"
WALKS, LENGTH = gpu_step.WALKS, gpu_step.LENGTH
PRECISIONS = ("float32", "bfloat16")
PEER_CASES = (("float32", False), ("bfloat16", False), ("bfloat16", True))  # precision, torch.compile
WINDOW = 100  # steps between two log entries, whose times have three decimals
STEPS = 6 * WINDOW
ON_GPU = re.compile(r"DEVICE=cuda: the run is on the GPU, (.*)")
REFUSED = re.compile(r"Error: DEVICE=cuda asks for the GPU, and (.*)")

# By NVIDIA's data sheets: operations a second in each precision (bfloat16 without sparsity) and bytes a second.
DATA_SHEETS = {
    "NVIDIA H200": ({"float32": 67e12, "bfloat16": 989e12}, 4.8e12),
    "NVIDIA H100 80GB HBM3": ({"float32": 67e12, "bfloat16": 989e12}, 3.35e12),
    "NVIDIA H100 PCIe": ({"float32": 51e12, "bfloat16": 756e12}, 2.0e12),
    "NVIDIA A100-SXM4-80GB": ({"float32": 19.5e12, "bfloat16": 312e12}, 2.039e12),
    "NVIDIA A100-SXM4-40GB": ({"float32": 19.5e12, "bfloat16": 312e12}, 1.555e12),
}


def config_of(preset):
    return ROOT / "configs" / f"config_{preset}_llama.json"


def least_ms(preset, precision, gpu):
    """The larger of a step's operations and bytes at the data sheet's rates; None where they are not known."""
    if gpu not in DATA_SHEETS:
        return None
    operations, bandwidth = DATA_SHEETS[gpu]
    step = gpu_step.count(json.loads(config_of(preset).read_text()), precision)
    return 1000 * max(step.operations / operations[precision], step.bytes / bandwidth)


def first_gpu():
    """As nvidia-smi's -i names it: the one that Strider takes."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]


def driver_version():
    return subprocess.run(["nvidia-smi", "-i", first_gpu(), "--query-gpu=driver_version", "--format=csv,noheader"],
                          check=True, capture_output=True, text=True).stdout.strip()


def last_line(done):
    """What a program said before it ended: the line of its error, else the last one."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error")]
    return f"exit code {done.returncode}: {(errors or lines or ['nothing on standard error'])[-1]}"


class Strider:
    """The program, with a dataset of its own in a scratch folder."""

    def __init__(self, program, libraries, scratch, device="cuda"):
        self.program = program
        self.scratch = scratch
        self.device = device
        self.environment = dict(os.environ)
        if libraries:
            before = os.environ.get("LD_LIBRARY_PATH")
            self.environment["LD_LIBRARY_PATH"] = f"{libraries}:{before}" if before else str(libraries)
        walks = scratch / "walks.csv"
        with walks.open("w") as file:
            rows = csv.writer(file)
            rows.writerow(("walk_id", "length", "sequence_labels"))
            for number, walk in enumerate(torus_walks(40 * WALKS, LENGTH)):
                rows.writerow((number, len(walk), " ".join(map(str, walk))))
        made = self.run("dataset", "--input_csv", walks, "--output_dir", scratch / "dataset", "--train_split", "1")
        if made.returncode != 0:
            raise RuntimeError(f"strider dataset: exit code {made.returncode}\n{made.stderr}")

    def run(self, *arguments):
        return subprocess.run([str(part) for part in (self.program, *arguments)], capture_output=True, text=True,
                              env=self.environment)

    def train(self, preset, precision, steps=STEPS, window=WINDOW):
        """{"ms", "weights" (their hash), "gpu"} of a run; {"refused": the reason} where the engine cannot do it; or {"failed"}."""
        folder = self.scratch / f"{preset}_{precision}"
        done = self.run("train", "--json", "--device", self.device, "--precision", precision, "--dataset_dir",
                        self.scratch / "dataset", "--config", config_of(preset), "--output_dir", folder, "--max_steps",
                        steps, "--logging_steps", window, "--save_steps", 10**6, "--eval_steps", 10**6, "--report_to",
                        "none", "--resume", "never", "--overwrite", "true")
        if done.returncode != 0:
            reason = REFUSED.search(done.stderr)
            return {"refused": reason[1].strip()} if reason else {"failed": last_line(done)}
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        times = [line["time"] for line in lines if line["event"] == "log"]
        weights = hashlib.sha256((folder / "final_model" / "model.safetensors").read_bytes()).hexdigest()
        named = ON_GPU.search("\n".join(json.loads(done.stdout)["notices"]))
        return {"ms": 1000 * statistics.median(b - a for a, b in zip(times, times[1:])) / window, "weights": weights,
                "gpu": named[1] if named else None}


def peer_turn(python):
    """(What bench/peer_hf.py prints, with the preset's name; what it ended with, or None)."""
    command = [python, "-B", str(Path(__file__).with_name("peer_hf.py")), "--gpu", "--steps", "80", "--skip", "30"]
    for preset in PRESETS:
        command += ["--config", str(config_of(preset))]
    # One GPU: Trainer would spread a step over all that it sees.
    done = subprocess.run(command, env=os.environ | {"CUDA_VISIBLE_DEVICES": first_gpu()}, capture_output=True, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"config"')]
    for row in rows:
        row["preset"] = next(preset for preset in PRESETS if str(config_of(preset)) == row["config"])
    return rows, last_line(done) if done.returncode != 0 else None


def measure(strider, python, turns, keep):
    """Everything that the table says, as JSON; `keep` gets it after every turn. ms are lists, one value a turn."""
    found = {"gpu": None, "driver": driver_version(), "date": datetime.date.today().isoformat(), "turns": 0,
             "strider": [{"preset": preset, "precision": precision, "ms": [], "weights": []}
                         for preset in PRESETS for precision in PRECISIONS],
             "peer": [{"preset": preset, "precision": precision, "compiled": compiled, "ms": []}
                      for preset in PRESETS for precision, compiled in PEER_CASES] if python else [],
             "peer_versions": None, "failures": []}
    for turn in range(turns):
        for case in found["strider"]:
            if "refused" not in case:
                take_turn(strider, case, found)
        if python:
            take_peer_turn(python, found)
        found["turns"] = turn + 1
        keep(found)
    return found


def take_turn(strider, case, found):
    name = f"{case['preset']} in {case['precision']}"
    run = strider.train(case["preset"], case["precision"])
    if "refused" in run and case["precision"] != "float32":
        case["refused"] = run["refused"]
    elif "ms" not in run:
        found["failures"].append(f"{name}: {run.get('failed') or run['refused']}")
    else:
        found["gpu"] = run["gpu"]
        case["ms"].append(run["ms"])
        case["weights"].append(run["weights"])
        print(f"{name}: {run['ms']:.3f} ms", file=sys.stderr, flush=True)


def take_peer_turn(python, found):
    rows, failure = peer_turn(python)
    if failure:
        found["failures"].append(f"HF Trainer: {failure}")
    for row in rows:
        key = {name: row[name] for name in ("preset", "precision", "compiled")}
        next(case for case in found["peer"] if case.items() >= key.items())["ms"].append(row["step_ms"])
        found["peer_versions"] = f"torch {row['torch']}, transformers {row['transformers']}"
        print(f"HF Trainer, {', '.join(map(str, key.values()))}: {row['step_ms']:.3f} ms", file=sys.stderr, flush=True)


def runs_that_differ(found):
    """Those whose turns ended with different weights: a race, or sums in another order."""
    return [f"{case['preset']} in {case['precision']}" for case in found["strider"] if len(set(case["weights"])) > 1]


def facts_text(found):
    turns = f"Medians of {found['turns']} turns" if found["turns"] > 1 else "One turn"
    text = [f"GPU: {found['gpu']}, driver {found['driver']}. {found['date']}. {turns}, batch "
            f"{WALKS} x {LENGTH}, vocabulary {gpu_step.VOCAB:,}, AdamW."]
    if found["peer_versions"]:
        text.append(f"HF Trainer: {found['peer_versions']}.")
    else:
        text.append("HF Trainer was not measured.")
    if found["gpu"] in DATA_SHEETS:
        operations, bandwidth = DATA_SHEETS[found["gpu"]]
        text.append(f"*Least* is the larger of a step's operations and bytes, as `bench/gpu_step.py` counts them, at the data "
                    f"sheet's {operations['float32'] / 1e12:g} T float32 or {operations['bfloat16'] / 1e12:g} T bfloat16 operations "
                    f"and {bandwidth / 1e12:g} TB a second; bytes are counted as if nothing stayed in a cache.")
    else:
        text.append("What a step takes at least is not known: `bench/gpu.py` has no data sheet of this GPU.")
    for reason in sorted({case["refused"] for case in found["strider"] if "refused" in case}):
        refused = [f"{case['preset']} in {case['precision']}" for case in found["strider"] if case.get("refused") == reason]
        text.append(f"Strider did not train {', '.join(refused)}: {reason}.")
    for failure in found["failures"]:
        text.append(f"**Failed: {failure}.**")
    differ = runs_that_differ(found)
    if differ:
        text.append(f"**Turns ended with different weights: {', '.join(differ)}.**")
    elif found["turns"] > 1:
        text.append("All turns of a run ended with the same weights, bit by bit.")
    return "\n".join(text) + "\n"


def steps_table(found):
    theirs = {(row["preset"], row["precision"], row["compiled"]): statistics.median(row["ms"]) for row in found["peer"]
              if row["ms"]}
    rows = []
    for case in found["strider"]:
        preset, precision = case["preset"], case["precision"]
        ours = statistics.median(case["ms"]) if case["ms"] else None
        least = least_ms(preset, precision, found["gpu"])
        row = [preset, precision, f"{ours:.2f}" if ours else "refused" if "refused" in case else "failed", f"{WALKS * LENGTH / ours * 1000:,.0f}" if ours else "",
               f"{least:.2f}" if least else "", f"{100 * least / ours:.0f}%" if least and ours else ""]
        for compiled in (False, True):
            other = theirs.get((preset, precision, compiled))
            row += [f"{other:.2f}" if other else "", f"{other / ours:.2f}x" if other and ours else ""]
        rows.append(row)
    return table(("preset", "precision", "step, ms", "tokens per second", "least, ms", "least / step", "HF Trainer, ms", "ratio",
                  "HF with torch.compile, ms", "ratio"), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("program", type=Path, nargs="?")
    what.add_argument("--measured", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--peer")
    parser.add_argument("--libraries", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--write", type=Path)
    a = parser.parse_args()
    if a.measured:
        found = json.loads(a.measured.read_text())
    else:
        with tempfile.TemporaryDirectory(prefix="strider-gpu-") as scratch:
            found = measure(Strider(a.program.resolve(), a.libraries, Path(scratch)), a.peer, a.turns,
                            lambda so_far: a.keep and a.keep.write_text(json.dumps(so_far, indent=1) + "\n"))
    text = facts_text(found) + "\n" + steps_table(found)
    print(text)
    if found["failures"] or runs_that_differ(found):
        sys.exit("Error: not everything went well, as said above the table; the page is left as it was")
    if a.write:
        write_between(a.write, BEGIN, END, text)


if __name__ == "__main__":
    main()
