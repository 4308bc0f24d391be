#!/usr/bin/env python3
"""Runs the benchmarks and prints the measured parts of docs/performance.md (whole steps and their parts; small steps and
optimizers), or writes them there, between their markers (--write).

Usage: report.py BUILD_DIR [--write docs/performance.md] [--quick]
PEERS_PYTHON names a Python with torch, transformers and accelerate; with it, Hugging Face Trainer takes its turns too. What is
compared takes turns, and ratios are of medians. Growth has its own command, growth.py.
"""
import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from measure import PRESETS, benchmark, machine_facts, table, whole_step
from roofline import roofline

COMPILED = ("400K", "2M")  # presets that torch.compile is tried on too


def machine_text(machine):
    return (f"Machine: {machine['processor']} ({machine['vectors']}), {machine['threads']} threads; float32 FMA peak "
            f"{machine['peak_flops_1'] / 1e9:.0f} GFLOP/s on one thread, {machine['peak_flops'] / 1e9:.0f} on all; memory "
            f"{machine['bandwidth_1'] / 1e9:.1f} and {machine['bandwidth'] / 1e9:.1f} GB/s; second-level cache "
            f"{machine['cache_bandwidth_1'] / 1e9:.0f} GB/s on one thread. {datetime.date.today().isoformat()}.\n")


def peer_step(python, preset, threads, compiled):
    config = Path(__file__).resolve().parent.parent / "configs" / f"config_{preset}_llama.json"
    command = [python, str(Path(__file__).with_name("peer_hf.py")), "--config", str(config), "--threads", str(threads)]
    if compiled:
        command.append("--compile")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS")}
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return json.loads(out.strip().splitlines()[-1])["step_ms"]


def measure_steps(build, machine, python, turns):
    """Of each preset: median ms of a step, FLOP/s, ms in bfloat16 and of an evaluation, and the peers' ms where they are measured."""
    steps = {}
    for preset in PRESETS:
        ours, flops, rounded, evaluations, theirs, compiled = [], [], [], [], [], []
        for _ in range(turns):
            row = whole_step(build, preset, "step")
            ours.append(row["real_time"])
            flops.append(row["flops"])
            rounded.append(whole_step(build, preset, "step/bfloat16")["real_time"])
            evaluations.append(whole_step(build, preset, "evaluate")["real_time"])
            if python:
                theirs.append(peer_step(python, preset, machine["threads"], False))
                if preset in COMPILED:
                    compiled.append(peer_step(python, preset, machine["threads"], True))
        steps[preset] = {"ms": statistics.median(ours), "flops": statistics.median(flops),
                         "bfloat16_ms": statistics.median(rounded), "evaluation_ms": statistics.median(evaluations),
                         "peers_ms": [statistics.median(times) if times else None for times in (theirs, compiled)]}
    return steps


def steps_table(steps, machine):
    rows = []
    for preset, step in steps.items():
        row = [preset, f"{step['ms']:.1f}", f"{100 * step['flops'] / machine['peak_flops']:.0f}%",
               f"{step['ms'] / step['evaluation_ms']:.2f}x", f"{step['ms'] / step['bfloat16_ms']:.2f}x"]
        for other in step["peers_ms"]:
            row += ["", ""] if other is None else [f"{other:.0f}", f"{other / step['ms']:.2f}x"]
        rows.append(row)
    return table(("preset", "step, ms", "share of FMA peak", "evaluation, tokens per second against training", "bfloat16 against float32",
                  "HF Trainer, ms", "ratio", "HF with torch.compile, ms", "ratio"), rows)


def products_table(build):
    """GFLOP/s of every linear layer on one thread, in float32 and in bfloat16 with the rounding of its operands."""
    rows = []
    for preset in PRESETS:
        rates = {name: 1e-9 * row["operations"] / (row["cpu_time"] * 1e-9)
                 for name, row in benchmark(build / "ops_bench", f"^(bfloat16/)?{preset}/(qkv|o|gate_up|down)/").items()}
        for layer in ("qkv", "o", "gate_up", "down"):
            row = [f"{preset}, {layer}"]
            for precision in ("", "bfloat16/"):
                row += [f"{rates[f'{precision}{preset}/{layer}/{way}']:.0f}"
                        for way in ("forward", "backward_input", "backward_weight")]
            rows.append(row)
    return table(("layer", "forward", "backward, input", "backward, weight", "bfloat16: forward", "backward, input",
                  "backward, weight"), rows)


OPTIMIZERS = {"adamw": "AdamW", "muon_newton_schulz_5": "Muon, 5 classical Newton-Schulz steps",
              "muon_polar_express_3": "Muon, 3 Polar Express steps"}
PRECISIONS = ("float32", "bfloat16")


def measure_small_steps(build, turns):
    """{(precision, optimizer, walks): medians of the step's ms and FLOP/s and of its update's ms}, of 2M."""
    found = {}
    for _ in range(turns):
        for name, row in benchmark(build / "step_bench", "^2M/small/", "--benchmark_min_time=2").items():
            precision, optimizer, _, walks = name.split("/")[2:6]
            found.setdefault((precision, optimizer, int(walks)), []).append((row["real_time"], row["flops"], 1000 * row["update"]))
    return {case: tuple(statistics.median(column) for column in zip(*rows)) for case, rows in found.items()}


def small_steps_tables(steps, machine):
    shares = []
    for walks in (2, 8):
        row = [walks]
        for precision in PRECISIONS:
            ms, flops, _ = steps[precision, "adamw", walks]
            row += [f"{ms:.1f}", f"{100 * flops / machine['peak_flops']:.0f}%"]
        shares.append(row)
    updates = []
    for optimizer, title in OPTIMIZERS.items():
        for walks in (8, 16):
            row = [title, walks]
            for precision in PRECISIONS:
                ms, _, update_ms = steps[precision, optimizer, walks]
                row += [f"{ms:.1f}", f"{update_ms:.2f}", f"{100 * update_ms / ms:.1f}%"]
            updates.append(row)
    return "\n".join([
        "### Share of the peak (AdamW)\n",
        table(("walks per step", "float32: step, ms", "share of FMA peak", "bfloat16: step, ms", "share of float32's FMA peak"), shares),
        "### The optimizer's share of a step\n",
        table(("optimizer", "walks per step", "float32: step, ms", "update, ms", "of the step", "bfloat16: step, ms", "update, ms",
               "of the step"), updates)])


def write_between(page, begin, end, text):
    """Replaces what stands between two lines of a page."""
    old = page.read_text()
    if begin not in old or end not in old:
        sys.exit(f"{page} has no markers {begin} and {end}")
    page.write_text(f"{old.split(begin)[0]}{begin}\n{text}\n{end}{old.split(end)[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--quick", action="store_true", help="one turn of everything that is compared instead of three")
    a = parser.parse_args()
    build = a.build.resolve()
    machine = machine_facts(build)
    steps = measure_steps(build, machine, os.environ.get("PEERS_PYTHON"), 1 if a.quick else 3)
    text = "\n".join([
        machine_text(machine),
        "### Whole steps (batch 50 x 128, vocabulary 1,200, all threads)\n",
        steps_table(steps, machine),
        "### Linear layers (GFLOP/s on one thread)\n",
        products_table(build),
        "### Parts of a step\n",
        roofline(build, machine, {preset: step["ms"] for preset, step in steps.items()}),
    ])
    small = machine_text(machine) + "\n" + small_steps_tables(measure_small_steps(build, 1 if a.quick else 3), machine)
    print(text, small, sep="\n")
    if a.write:
        write_between(a.write, "<!-- measured: begin -->", "<!-- measured: end -->", text)
        write_between(a.write, "<!-- small steps: begin -->", "<!-- small steps: end -->", small)


if __name__ == "__main__":
    main()
