"""Training by several ranks beside training by one process of as many threads, in turn: tokens per second and their ratio.

    ranks.py PROGRAM DATASET CONFIG [--ranks N] [--turns N] [--steps N] [--network MBIT]

With --network (as root) also by ranks in network namespaces of their own, which MPI takes for several machines. Each sends and
receives so many Mbit/s (tc tbf): two over a veth pair, more over a bridge.
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


def join(spaces, name_of_switch):
    """Gives each namespace a device `veth`; returns the devices that send, each with its namespace."""
    if len(spaces) == 2:
        call("ip", "link", "add", "veth", "netns", spaces[0], "type", "veth", "peer", "name", "veth", "netns", spaces[1])
        return [(space, "veth") for space in spaces]
    call("ip", "netns", "add", name_of_switch)
    inside = ["ip", "netns", "exec", name_of_switch]
    call(*inside, "ip", "link", "add", "bridge", "type", "bridge")
    call(*inside, "ip", "link", "set", "bridge", "up")
    senders = []
    for i, space in enumerate(spaces):
        call("ip", "link", "add", "veth", "netns", space, "type", "veth", "peer", "name", f"port{i}", "netns", name_of_switch)
        call(*inside, "ip", "link", "set", f"port{i}", "master", "bridge", "up")
        senders += [(space, "veth"), (name_of_switch, f"port{i}")]
    return senders


@contextlib.contextmanager
def networks(ranks, megabits, folder):
    """The start of a command that runs it with a rank in each of so many namespaces."""
    addresses = [f"10.99.0.{i + 1}" for i in range(ranks)]
    prefix = f"strider-{os.getpid()}-"
    spaces = [prefix + address for address in addresses]
    switch = prefix + "switch"
    try:
        for space in spaces:
            call("ip", "netns", "add", space)
        senders = join(spaces, switch)
        for space, address in zip(spaces, addresses):
            inside = ["ip", "netns", "exec", space]
            call(*inside, "ip", "link", "set", "lo", "up")
            call(*inside, "ip", "addr", "add", f"{address}/24", "dev", "veth")
            call(*inside, "ip", "link", "set", "veth", "up")
        for space, device in senders:
            call("ip", "netns", "exec", space, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{megabits}mbit",
                 "burst", "256kb", "latency", "50ms")
        # What mpirun would do by ssh on another machine, which has files of its own: Open MPI's daemons of one run write some of
        # the same name.
        agent = Path(folder) / "agent.sh"
        agent.write_text(f'#!/bin/sh\nspace={prefix}$1\nexport TMPDIR="$0.$1"\nmkdir -p "$TMPDIR"\nshift\n'
                         'exec ip netns exec "$space" sh -c "$*"\n')
        agent.chmod(0o755)
        yield ["ip", "netns", "exec", spaces[0], *MPIRUN, "--mca", "plm_rsh_agent", str(agent), "--mca", "btl", "self,tcp",
               "--mca", "btl_tcp_if_include", "10.99.0.0/24", "--mca", "oob_tcp_if_include", "10.99.0.0/24", "-n", str(ranks),
               "-H", ",".join(addresses)]
    finally:
        for space in [*spaces, switch]:
            subprocess.run(["ip", "netns", "del", space], check=False, stderr=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("dataset")
    parser.add_argument("config")
    parser.add_argument("--ranks", type=int, default=2, help="of one thread each")
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
        ranks = options.ranks
        alone = f"1 process of {ranks} threads"
        ways = {alone: ([], ranks),
                f"{ranks} ranks of 1 thread": ([*MPIRUN, "-n", str(ranks)], 1)}
        if options.network:
            ways[f"{ranks} ranks of 1 thread over {options.network} Mbit/s"] = (
                stack.enter_context(networks(ranks, options.network, folder)), 1)
        rates, models = {name: [] for name in ways}, set()
        for _ in range(options.turns):
            for name, (command, threads) in ways.items():
                tokens, model = rate(command, arguments, threads, folder)
                rates[name].append(tokens)
                models.add(model)
        whole = statistics.median(rates[alone])
        for name, values in rates.items():
            median = statistics.median(values)
            print(f"{name}: {median:,.0f} tokens/s, {median / whole:.3f} of one process ({' '.join(f'{v:,.0f}' for v in values)})")
        print(f"models: {len(models)} different")


if __name__ == "__main__":
    main()
