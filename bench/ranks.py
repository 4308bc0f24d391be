"""Training by several ranks beside training by one process of as many threads, in turn: tokens per second and their ratio.

    ranks.py PROGRAM DATASET CONFIG [--turns N] [--steps N] [--network MBIT]

With --network (as root) also by two ranks in two network namespaces that a veth pair of so many Mbit/s joins (tc tbf).
"""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
SPACES = {"strider-a": "10.99.0.1", "strider-b": "10.99.0.2"}


def rate(command, arguments, threads, folder):
    """Tokens per second: the median of the entries of a run's log, without the first."""
    output = Path(tempfile.mkdtemp(dir=folder))
    done = subprocess.run([*command, *arguments, "--output_dir", output, "--threads", str(threads)], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"Error: {command} failed:\n{done.stdout}{done.stderr}")
    entries = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    rates = [entry["tokens_per_second"] for entry in entries if entry["event"] == "log"]
    return statistics.median(rates[1:]), (output / "final_model/model.safetensors").read_bytes()


def call(*command):
    subprocess.run(command, check=True)


@contextlib.contextmanager
def two_networks(megabits, folder):
    """The start of a command that runs it with a rank in each of two namespaces."""
    try:
        for name in SPACES:
            call("ip", "netns", "add", name)
        call("ip", "link", "add", "veth", "netns", "strider-a", "type", "veth", "peer", "name", "veth", "netns", "strider-b")
        for name, address in SPACES.items():
            inside = ["ip", "netns", "exec", name]
            call(*inside, "ip", "link", "set", "lo", "up")
            call(*inside, "ip", "addr", "add", f"{address}/24", "dev", "veth")
            call(*inside, "ip", "link", "set", "veth", "up")
            call(*inside, "tc", "qdisc", "add", "dev", "veth", "root", "tbf", "rate", f"{megabits}mbit", "burst", "256kb",
                 "latency", "50ms")
        # What mpirun would do by ssh on another machine.
        agent = Path(folder) / "agent.sh"
        agent.write_text('#!/bin/sh\nshift\nexec ip netns exec strider-b sh -c "$*"\n')
        agent.chmod(0o755)
        yield ["ip", "netns", "exec", "strider-a", *MPIRUN, "--mca", "plm_rsh_agent", str(agent), "--mca", "btl", "self,tcp",
               "--mca", "btl_tcp_if_include", "10.99.0.0/24", "--mca", "oob_tcp_if_include", "10.99.0.0/24", "-n", "2",
               "-H", ",".join(SPACES.values())]
    finally:
        for name in SPACES:
            subprocess.run(["ip", "netns", "del", name], check=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("dataset")
    parser.add_argument("config")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch_size", type=int, default=50)
    parser.add_argument("--network", type=int, help="Mbit/s")
    parser.add_argument("more", nargs="*", help="options of strider train, after --")
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    arguments = [program, "train", "--dataset_dir", os.path.abspath(options.dataset), "--config",
                 os.path.abspath(options.config), "--max_steps", str(options.steps), "--logging_steps", "5", "--eval_steps",
                 "100000", "--batch_size", str(options.batch_size), "--report_to", "none", *options.more]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        ways = {"1 process of 2 threads": ([], 2),
                "2 ranks of 1 thread": ([*MPIRUN, "-n", "2"], 1)}
        if options.network:
            ways[f"2 ranks of 1 thread over {options.network} Mbit/s"] = (
                stack.enter_context(two_networks(options.network, folder)), 1)
        rates, models = {name: [] for name in ways}, set()
        for _ in range(options.turns):
            for name, (command, threads) in ways.items():
                tokens, model = rate(command, arguments, threads, folder)
                rates[name].append(tokens)
                models.add(model)
        whole = statistics.median(rates["1 process of 2 threads"])
        for name, values in rates.items():
            median = statistics.median(values)
            print(f"{name}: {median:,.0f} tokens/s, {median / whole:.3f} of one process ({' '.join(f'{v:,.0f}' for v in values)})")
        print(f"models: {len(models)} different")


if __name__ == "__main__":
    main()
