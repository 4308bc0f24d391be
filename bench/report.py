#!/usr/bin/env python3
"""Runs every benchmark and prints the tables of docs/performance.md between its markers, or writes them there (--write).

Usage: report.py BUILD_DIR [--write docs/performance.md] [--quick]
PEERS_PYTHON names a Python with torch, transformers and accelerate; with it, Strider and Hugging Face Trainer take turns and
the ratio of their medians is printed too.
"""
import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

PRESETS = ("400K", "2M", "6M", "12M")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def benchmark(program, pattern, *more):
    """Google Benchmark's results by name."""
    out = subprocess.run([program, f"--benchmark_filter={pattern}", "--benchmark_format=json", *more], check=True,
                         capture_output=True, text=True).stdout
    return {row["name"]: row for row in json.loads(out)["benchmarks"]}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def machine_text(machine):
    return (f"Machine: {machine['processor']} ({machine['vectors']}), {machine['threads']} threads; float32 FMA peak "
            f"{machine['peak_flops_1'] / 1e9:.0f} GFLOP/s on one thread, {machine['peak_flops'] / 1e9:.0f} on all; memory "
            f"{machine['bandwidth_1'] / 1e9:.1f} and {machine['bandwidth'] / 1e9:.1f} GB/s. "
            f"{datetime.date.today().isoformat()}.\n")


def operations(build, machine):
    rows = []
    for name, row in benchmark(build / "ops_bench", ".*").items():
        name = name.split("/min_time")[0]
        if "flops" in row:
            rate, ceiling, unit = row["flops"], machine["peak_flops_1"], "GFLOP/s"
        else:
            rate, ceiling, unit = row["bytes"], None, "GB/s"
        share = f"{100 * rate / ceiling:.0f}%" if ceiling else "in cache"
        rows.append((name, f"{row['cpu_time'] / 1000:.1f}", f"{rate / 1e9:.1f} {unit}", share))
    return table(("operation", "µs a block", "rate", "share of FMA peak"), rows)


def median_step(build, preset, kind):
    rows = benchmark(build / "step_bench", f"^{preset}/{kind}/", "--benchmark_min_time=2")
    return next(iter(rows.values()))


def peer_step(python, preset, threads, compiled):
    config = Path(__file__).resolve().parent.parent / "configs" / f"config_{preset}_llama.json"
    command = [python, str(Path(__file__).with_name("peer_hf.py")), "--config", str(config), "--threads", str(threads)]
    if compiled:
        command.append("--compile")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS")}
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return json.loads(out.strip().splitlines()[-1])["step_ms"]


def steps(build, machine, python, turns):
    rows = []
    for preset in PRESETS:
        ours, theirs, compiled, flops = [], [], [], []
        for _ in range(turns):
            row = median_step(build, preset, "step")
            ours.append(row["real_time"])
            flops.append(row["flops"])
            if python:
                theirs.append(peer_step(python, preset, machine["threads"], False))
                if preset in ("400K", "2M"):
                    compiled.append(peer_step(python, preset, machine["threads"], True))
        evaluation = median_step(build, preset, "evaluate")
        own = statistics.median(ours)
        row = [preset, f"{own:.1f}", f"{100 * statistics.median(flops) / machine['peak_flops']:.0f}%",
               f"{own / evaluation['real_time']:.2f}x"]
        for other in (theirs, compiled):
            row += [f"{statistics.median(other):.0f}", f"{statistics.median(other) / own:.2f}x"] if other else ["", ""]
        rows.append(row)
    return table(("preset", "step, ms", "share of FMA peak", "evaluation, tokens a second against training",
                  "HF Trainer, ms", "ratio", "HF with torch.compile, ms", "ratio"), rows)


def growth(build):
    rows = []
    for name, row in benchmark(build / "step_bench", "growth").items():
        threads, walks, length, vocab = name.split("/")[2:6]
        rows.append((threads, walks, length, vocab, f"{row['real_time']:.0f}", f"{row['flops'] / 1e9:.0f}",
                     f"{row['memory'] / 1e6:.0f}"))
    return table(("threads", "walks a step", "length", "vocabulary", "step, ms", "GFLOP/s", "memory, MB"), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--quick", action="store_true", help="one turn against the peers instead of three")
    a = parser.parse_args()
    build = a.build.resolve()
    machine = json.loads(subprocess.run([build / "machine_bench"], check=True, capture_output=True, text=True).stdout)
    python = os.environ.get("PEERS_PYTHON")
    text = "\n".join([
        machine_text(machine),
        "### Whole steps (batch 50 x 128, vocabulary 1,200, all threads)\n",
        steps(build, machine, python, 1 if a.quick else 3),
        "### Operations (one thread, a block of 127 rows)\n",
        operations(build, machine),
        "### Growth (2M)\n",
        growth(build),
    ])
    print(text)
    if a.write:
        page = a.write.read_text()
        if BEGIN not in page or END not in page:
            sys.exit(f"{a.write} has no markers {BEGIN} and {END}")
        head, tail = page.split(BEGIN)[0], page.split(END)[1]
        a.write.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}")


if __name__ == "__main__":
    main()
