"""What the reports share: running the benchmarks, and tables in Markdown."""
import json
import subprocess

PRESETS = ("400K", "2M", "6M", "12M")


def benchmark(program, pattern, *more):
    """Google Benchmark's results by name, without what it adds to a name."""
    out = subprocess.run([program, f"--benchmark_filter={pattern}", "--benchmark_format=json", *more], check=True,
                         capture_output=True, text=True).stdout
    return {row["name"].split("/min_time")[0]: row for row in json.loads(out)["benchmarks"]}


def machine_facts(build):
    out = subprocess.run([build / "machine_bench"], check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def whole_step(build, preset, kind):
    """One row of step_bench: batch 50 x 128, vocabulary 1,200, all threads; kind is step, evaluate or step/bfloat16."""
    rows = benchmark(build / "step_bench", f"^{preset}/{kind}/[0-9]", "--benchmark_min_time=2")
    return next(iter(rows.values()))
