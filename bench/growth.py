#!/usr/bin/env python3
"""How time and memory of the 2M preset grow, one thing at a time, as tables in docs/performance.md and charts in docs/charts/.

Usage: growth.py BUILD_DIR [--write docs/performance.md] [--walks 120000,500000,2000000]
Needs matplotlib (scripts/requirements-bench.txt). The walks are made, prepared and trained on by the program itself, in a
scratch folder that takes 2.1 GB at 2 million walks (TMPDIR).
"""
import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import charts
from measure import benchmark, machine_facts, table
from report import machine_text, write_between

ROOT = Path(__file__).resolve().parent.parent
STEPS = 20
WHAT_GROWS = {"threads": "threads", "batch": "walks per step", "length": "tokens per walk", "vocabulary": "tokens in the vocabulary"}


def engine_growth(build, machine):
    """Of each thing that grows: its points as dicts."""
    growth = {what: [] for what in WHAT_GROWS}
    for name, row in benchmark(build / "step_bench", "^2M/growth_").items():
        what, threads, walks, length, vocab = name.split("/")[1:6]
        threads, walks, length, vocab = (int(text) for text in (threads, walks, length, vocab))
        tokens = walks * length
        what = what.removeprefix("growth_")
        peak = machine["peak_flops_1"] * threads
        growth[what].append({"x": {"threads": threads, "batch": walks, "length": length, "vocabulary": vocab}[what],
                             "walks": walks, "ms": row["real_time"], "us": 1000 * row["real_time"] / tokens,
                             "least_us": 1e6 * row["flops"] * row["real_time"] / 1000 / tokens / peak,
                             "gflops": row["flops"] / 1e9, "share": row["flops"] / peak, "mb": row["memory"] / 1e6})
    return growth


def engine_table(what, points):
    size = () if what == "batch" else ("walks per step",)
    rows = [(f"{p['x']:,}", *(p["walks"] for _ in size), f"{p['ms']:.0f}", f"{p['us']:.1f}", f"{p['least_us']:.1f}",
             f"{p['gflops']:.0f}", f"{100 * p['share']:.0f}%", f"{p['mb']:.0f}") for p in points]
    return table((WHAT_GROWS[what], *size, "step, ms", "µs per token", "by the arithmetic, µs", "GFLOP/s", "share of FMA peak",
                  "memory, MB"), rows)


def run(command):
    """(seconds, peak resident MB, lines with the seconds after which each came)."""
    began = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    lines = [(time.monotonic() - began, line) for line in process.stdout]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command}: exit code {process.returncode}\n" + "".join(line for _, line in lines))
    return time.monotonic() - began, usage.ru_maxrss * 1024 / 1e6, lines


def walks_growth(build, counts):
    program = build / "strider"
    points = []
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="strider-growth-") as scratch:
            scratch = Path(scratch)
            grid = ["--topology", "torus", "--H", 30, "--W", 40]
            run([program, "graph", *grid, "--output_dir", scratch / "graph"])
            csv = scratch / "walks_torus_30x40.csv"
            walks, _, _ = run([program, "walks", "--graph_dir", scratch / "graph", *grid, "--max_seqs", count, "--out", csv])
            dataset, dataset_mb, _ = run([program, "dataset", "--input_csv", csv, "--output_dir", scratch / "dataset"])
            csv.unlink()
            _, train_mb, lines = run([program, "train", "--dataset_dir", scratch / "dataset", "--config",
                                      ROOT / "configs/config_2M_llama.json", "--output_dir", scratch / "run", "--max_steps",
                                      STEPS, "--eval_steps", 10**6, "--save_steps", 10**6])
            # The summary's last line comes right before the first step.
            start = next(seconds for seconds, line in lines if line.startswith("  Time: "))
            log = json.loads((scratch / "run/trainer_state.json").read_text())["log_history"]
            points.append({"x": count, "walks_s": walks, "dataset_s": dataset, "dataset_mb": dataset_mb, "start_s": start,
                           "step_ms": 1000 * log[-1]["train_runtime"] / STEPS, "train_mb": train_mb})
    return points


def walks_table(points):
    rows = [(f"{p['x']:,}", f"{p['walks_s']:.1f}", f"{p['dataset_s']:.1f}", f"{p['start_s']:.2f}", f"{p['step_ms']:.0f}",
             f"{p['train_mb']:.0f}") for p in points]
    return table(("walks", "walks, s", "dataset, s", "start of training, s", "step, ms", "training's peak memory, MB"), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--walks", default="120000,500000,2000000")
    a = parser.parse_args()
    build = a.build.resolve()
    machine = machine_facts(build)
    growth = engine_growth(build, machine)
    walks = walks_growth(build, [int(text) for text in a.walks.split(",")])
    text = [machine_text(machine)]
    for what, points in growth.items():
        text += [f"#### By {WHAT_GROWS[what]}\n", f"![Time per token, rate and memory by {WHAT_GROWS[what]}](charts/growth_{what}.svg)\n", engine_table(what, points)]
    text += ["#### By walks in the dataset\n", "![Making walks, training's start, step and memory by walks](charts/growth_walks.svg)\n", walks_table(walks)]
    print("\n".join(text))
    if a.write:
        folder = a.write.parent / "charts"
        folder.mkdir(exist_ok=True)
        for what, points in growth.items():
            charts.engine_chart(points, WHAT_GROWS[what], folder / f"growth_{what}.svg")
        charts.walks_chart(walks, folder / "growth_walks.svg")
        write_between(a.write, "<!-- growth: begin -->", "<!-- growth: end -->", "\n".join(text))


if __name__ == "__main__":
    main()
