"""Runs that several processes share, started by mpirun: the bits of one process, whatever becomes of a rank.

    ranks_test.py PROGRAM MPIRUN
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from full_disk_test import small_disk
from small_run import GOLDEN, HANG_SECONDS, SmallRun, check, check_same, read_until, result, scratch_folder

MPIRUN = []
STEPS, SAVE_STEPS = 600, 300


class SharedRun(SmallRun):
    """By so many ranks; 0: by the program alone. `agent`: a script that mpirun starts in place of ssh, so that it takes every rank
    to be on a machine of its own, and they send while the backward pass still runs."""

    def __init__(self, program, folder, ranks, save_steps=SAVE_STEPS, max_steps=STEPS, agent=None):
        super().__init__(program, folder, save_steps, max_steps)
        self.alone = self.command
        self.agent = agent
        self.share(ranks)

    def share(self, ranks):
        machines = []
        if self.agent:
            machines = ["--mca", "plm_rsh_agent", str(self.agent), "--mca", "btl_tcp_if_include", "lo", "--mca",
                        "oob_tcp_if_include", "lo", "-H", ",".join(f"machine-{rank}" for rank in range(ranks))]
        self.command = [*MPIRUN, *machines, "-n", str(ranks), *self.alone] if ranks else self.alone


def local_agent(scratch):
    """What mpirun calls as `agent MACHINE COMMAND...`, here for any machine. Each has its own TMPDIR: Open MPI's daemons of one run
    write files of the same name there."""
    agent = scratch / "agent.sh"
    agent.write_text('#!/bin/sh\nexport TMPDIR="$0.$1"\nmkdir -p "$TMPDIR"\nshift\nexec sh -c "$*"\n')
    agent.chmod(0o755)
    return agent


def any_number_of_ranks_makes_the_same_files(program, scratch, expected):
    for ranks in (2, 3, 4):
        run = SharedRun(program, scratch / f"same-{ranks}", ranks)
        text = run.finish()
        check_same(run, expected, f"{ranks} ranks")
        check(len(re.findall("Training complete", text)) == 1, f"{ranks} ranks print what one would:\n{text}")


def ranks_of_several_machines_make_the_same_files(program, scratch, expected):
    for ranks in (2, 3):
        run = SharedRun(program, scratch / f"machines-{ranks}", ranks, agent=local_agent(scratch))
        run.finish(threads=ranks - 1)
        check_same(run, expected, f"{ranks} ranks on as many machines")


def workers(process):
    """The process ids of the ranks, by rank, once all of them are there: they are in mpirun's folder, whoever started them."""
    found = {}
    folder_of_run = os.readlink(f"/proc/{process.pid}/cwd")
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            is_of_run = os.readlink(folder / "cwd") == folder_of_run
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if is_of_run:
            for variable in environment:
                if variable.startswith(b"OMPI_COMM_WORLD_RANK="):
                    found[int(variable.split(b"=")[1])] = int(folder.name)
    return found


def a_signal_to_any_rank_stops_all_at_one_step(program, scratch, expected):
    """And another number of ranks goes on from there."""
    for rank, ranks_after in ((0, 3), (1, 0)):
        run = SharedRun(program, scratch / f"signal-{rank}", 2)
        process = run.start()
        read_until(process, r"^step \d+/")
        os.kill(workers(process)[rank], signal.SIGTERM)
        text, _ = process.communicate(timeout=60)
        check(process.returncode == 128 + signal.SIGTERM, f"rank {rank}: exit code {process.returncode}\n{text}")
        stopped = re.search(r"Stopped after step (\d+) by signal 15", text)
        check(stopped and f"checkpoint-{stopped[1]}" in run.names(), f"rank {rank}: {run.names()}\n{text}")
        run.share(ranks_after)
        run.finish()
        check_same(run, expected, f"a signal to rank {rank}")


def a_rank_that_dies_or_hangs_ends_the_run_everywhere(program, scratch, expected):
    hanging = ("--rank_timeout", "2")
    several = local_agent(scratch)
    for number, ranks, agent, more in ((signal.SIGKILL, (0, 2), None, ()), (signal.SIGSTOP, (1, 2), None, hanging),
                                       (signal.SIGSTOP, (1,), several, hanging)):
        for rank in ranks:
            when = f"{number.name} to rank {rank}{' on another machine' if agent else ''}"
            name = when.replace(" ", "-")
            run = SharedRun(program, scratch / name, 3, save_steps=100, max_steps=3000, agent=agent)
            process = run.start(more=more)
            read_until(process, r"^Step 100: checkpoint")
            pids = workers(process)
            os.kill(pids[rank], number)
            began = time.monotonic()
            text, _ = process.communicate(timeout=60)
            check(process.returncode not in (0, None), f"{when}: exit code {process.returncode}\n{text}")
            check(time.monotonic() - began < 30, f"{when}: {time.monotonic() - began:.0f} s until the end")
            if number == signal.SIGSTOP:
                check(re.search(rf"has waited \d s for rank {rank}", text), f"{when}: the rank is not named\n{text}")
                os.kill(pids[rank], signal.SIGCONT)
            else:
                check(f"rank {rank}" in text, f"{when}: the rank is not named\n{text}")
            for pid in pids.values():
                until = time.monotonic() + 10
                while pathlib.Path(f"/proc/{pid}").exists() and time.monotonic() < until:
                    time.sleep(0.05)
                check(not pathlib.Path(f"/proc/{pid}").exists(), f"{when}: process {pid} is left")
            # The newest checkpoint is whole: the run goes on from it, by one process.
            run.share(0)
            run.finish()
            whole = SmallRun(program, scratch / f"{name}-whole", 100, 3000)
            whole.finish()
            check_same(run, result(whole), when)


def a_full_disk_ends_the_run_everywhere(program, scratch, expected):
    if os.geteuid() != 0:
        print("a full disk: skipped, only root may mount one")
        return
    run = SharedRun(program, scratch / "disk", 2)
    with small_disk(run.output, 300):
        code, text = run.run()
        check(code == 1 and "No space left on device" in text, f"a full disk: exit code {code}\n{text}")
        check(not run.partials(), f"a full disk: {run.partials()}")
        subprocess.run(["mount", "-o", "remount,size=16m", str(run.output)], check=True)
        run.finish()
        check_same(run, expected, "a full disk")


def extraction_in_context_makes_the_same_files(program, scratch, expected):
    model, folder = scratch / "whole/out/final_model", scratch / "extracted"
    folder.mkdir()
    extract = [program, "extract", "--model_dir", str(model), "--dataset_dir", str(GOLDEN / "dataset"), "--upsample", "7",
               "--threads", "1"]
    files = ("token_representations.npz", "token_representations_upsampled_raw.npz", "representation_info.json")

    def extracted(name, launcher=()):
        done = subprocess.run([*launcher, *extract, "--output_dir", name], cwd=folder, capture_output=True, text=True,
                              timeout=HANG_SECONDS, check=False)
        check(done.returncode == 0, f"extraction: {done.stdout}{done.stderr}")
        check(done.stdout.count("Extraction complete") == 1, f"extraction by {name}: {done.stdout}")
        return [(folder / name / file).read_bytes() for file in files]

    alone = extracted("alone")
    for ranks in (2, 3):
        check(extracted(f"ranks-{ranks}", [*MPIRUN, "-n", str(ranks)]) == alone, f"{ranks} ranks extract something else")


def what_cannot_be_is_refused_once(program, scratch, expected):
    run = SharedRun(program, scratch / "many", 9)
    code, text = run.run()
    check(code != 0 and "at most 8 ranks" in text, f"9 ranks: exit code {code}\n{text}")
    run = SharedRun(program, scratch / "bad", 2)
    code, text = run.run(more=("--learning_rate", "-1"))
    check(code not in (0, None), f"a bad setting: exit code {code}\n{text}")


def main():
    program = os.path.abspath(sys.argv[1])
    MPIRUN.extend([sys.argv[2], "--oversubscribe", "--allow-run-as-root", "--bind-to", "none"])
    with scratch_folder() as scratch:
        scratch = pathlib.Path(scratch)
        whole = SmallRun(program, scratch / "whole", SAVE_STEPS, STEPS)
        whole.finish()
        expected = result(whole)
        for test in (any_number_of_ranks_makes_the_same_files, ranks_of_several_machines_make_the_same_files,
                     a_signal_to_any_rank_stops_all_at_one_step, a_rank_that_dies_or_hangs_ends_the_run_everywhere,
                     a_full_disk_ends_the_run_everywhere, extraction_in_context_makes_the_same_files,
                     what_cannot_be_is_refused_once):
            began = time.monotonic()
            test(program, scratch, expected)
            print(f"{test.__name__}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
