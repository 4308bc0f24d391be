"""Signals as a user or a scheduler sends them, and a second run in the folder of one that goes on.

    signal_test.py PROGRAM      STRIDER_STEPS: of a run (1500); fewer where steps are slow
"""

import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import sys
import time

from small_run import HANG_SECONDS, SmallRun, check, check_same, read_until, result, scratch_folder

STEPS = int(os.environ.get("STRIDER_STEPS", "1500"))  # a second or two
SAVE_STEPS = STEPS // 2
CONFIGS = pathlib.Path(__file__).resolve().parent.parent.parent / "configs"


def first_steps(run, **options):
    process = run.start(**options)
    read_until(process, r"^step \d+/")
    return process


def checkpoints(run):
    return [name for name in run.names() if name.startswith("checkpoint-")]


def a_signal_ends_the_run_in_good_order(program, scratch, expected):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU):
        run = SmallRun(program, scratch / number.name, SAVE_STEPS, STEPS)
        process = first_steps(run)
        process.send_signal(number)
        text, _ = process.communicate(timeout=HANG_SECONDS)
        check(process.returncode == 128 + number, f"{number.name}: exit code {process.returncode}\n{text}")
        stopped = re.search(r"^Stopped after step (\d+) by signal", text, re.M)
        check(stopped, f"{number.name}: nothing says where the run stopped\n{text}")
        check(re.search(r"^Stopping: .* Ctrl-C again, after 2 s, ends at once", text, re.M),
              f"{number.name}: the request is not acknowledged\n{text}")
        check(int(stopped[1]) < SAVE_STEPS and checkpoints(run) == [f"checkpoint-{stopped[1]}"],
              f"{number.name}: stopped after step {stopped[1]}, but {checkpoints(run)} are there")
        text = run.finish(threads=2)
        check(f"checkpoint-{stopped[1]}" in text, f"{number.name}: nothing says where the run goes on\n{text}")
        check_same(run, expected, number.name)


def a_terminal_that_closes_ends_the_run_in_good_order(program, scratch, expected):
    run = SmallRun(program, scratch / "terminal", SAVE_STEPS, STEPS)
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(run.folder)
        os.execv(run.command[0], run.command)
    text = ""
    while "tokens/s" not in text:
        text += os.read(terminal, 4096).decode(errors="replace")
    os.close(terminal)  # the kernel sends SIGHUP, and whatever the run prints from here on fails
    for _ in range(3):
        try:
            os.kill(process, signal.SIGHUP)  # as a shell does, too
        except ProcessLookupError:
            break
        time.sleep(0.001)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    check(code == 128 + signal.SIGHUP, f"a closed terminal: exit code {code}")
    check(len(checkpoints(run)) == 1, f"a closed terminal: {checkpoints(run)} are there")
    run.finish()
    check_same(run, expected, "a closed terminal")


def nohup_is_heeded(program, scratch, expected):
    run = SmallRun(program, scratch / "nohup", SAVE_STEPS, STEPS)
    run.command = ["nohup", *run.command]
    process = first_steps(run)
    process.send_signal(signal.SIGHUP)
    text, _ = process.communicate(timeout=HANG_SECONDS)
    check(process.returncode == 0, f"SIGHUP under nohup: exit code {process.returncode}\n{text}")
    check_same(run, expected, "nohup")


def two_signals_at_once_are_one_request(program, scratch, expected):
    """As timeout, Slurm and systemd send them: to the process, and then to its group."""
    pairs = [(first, second) for first in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
             for second in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    for first, second in pairs:
        name = f"{first.name} and {second.name}"
        run = SmallRun(program, scratch / name, SAVE_STEPS, STEPS)
        process = first_steps(run)
        process.send_signal(first)
        process.send_signal(second)
        text, _ = process.communicate(timeout=HANG_SECONDS)
        # Two that are pending at once are delivered in the order of their numbers.
        check(process.returncode in (128 + first, 128 + second), f"{name}: exit code {process.returncode}\n{text}")
        check(len(checkpoints(run)) == 1, f"{name}: {checkpoints(run)} exist")
    run.finish()
    check_same(run, expected, name)


def interrupted_long_step(program, scratch, number):
    """A run that was sent a signal in its first step, which takes ten seconds or more: the largest model and all walks
    in one batch. A signal that comes before the step has begun ends the run at once: then again, with more patience."""
    for attempt in range(6):
        run = SmallRun(program, scratch / f"long {number} {attempt}", SAVE_STEPS)
        large = ["--config", str(CONFIGS / "config_12M_llama.json"), "--batch_size", "1100"]
        for option, value in zip(large[::2], large[1::2]):
            run.command[run.command.index(option) + 1] = value
        process = run.start()
        read_until(process, r"Machine:")
        time.sleep(0.3 * 2 ** attempt)
        process.send_signal(number)
        for line in process.stdout:
            if line.startswith("Stopping: "):
                break
        if "before the next step" not in line:
            return run, process, line
        process.communicate(timeout=HANG_SECONDS)
    check(False, "no signal came while the step was under way")


def a_long_step_is_acknowledged_and_given_up(program, scratch, _):
    run, process, line = interrupted_long_step(program, scratch, signal.SIGINT)
    check("the step under way is finished first, or given up after 5 s" in line, line)
    text, _ = process.communicate(timeout=HANG_SECONDS)
    check(process.returncode == 128 + signal.SIGINT, f"a long step: exit code {process.returncode}\n{text}")
    check("before the first step was done" in text and not checkpoints(run),
          f"a long step that was given up: {checkpoints(run)} exist\n{text}")


def a_second_signal_after_two_seconds_ends_it_at_once(program, scratch, _):
    run, process, _ = interrupted_long_step(program, scratch, signal.SIGTERM)
    time.sleep(2.1)
    check(process.poll() is None, "the first signal did not wait for the step's end")
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    process.wait(timeout=HANG_SECONDS)
    seconds = time.monotonic() - began
    process.stdout.close()
    check(process.returncode == -signal.SIGTERM, f"after the second signal: exit code {process.returncode}")
    check(seconds < 0.5, f"the second signal took {seconds:.2f} seconds")
    check(not checkpoints(run), f"a checkpoint was written in between: {checkpoints(run)}")


def a_reader_that_goes_does_not_end_the_run(program, scratch, expected):
    run = SmallRun(program, scratch / "pipe", SAVE_STEPS, STEPS)
    process = run.start()  # both streams into one pipe
    process.stdout.readline()
    process.stdout.close()
    check(process.wait(timeout=HANG_SECONDS) == 0, f"a closed pipe: exit code {process.returncode}")
    check_same(run, expected, "a closed pipe")
    run = SmallRun(program, scratch / "pipe stopped", SAVE_STEPS, STEPS)
    process = first_steps(run)
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=HANG_SECONDS)
    check(code == 128 + signal.SIGINT, f"a closed pipe and Ctrl-C: exit code {code}")
    check(len(checkpoints(run)) == 1, f"a closed pipe and Ctrl-C: {checkpoints(run)} exist")
    run.finish()
    check_same(run, expected, "a closed pipe and Ctrl-C")


def a_checkpoint_on_request_changes_nothing(program, scratch, expected):
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        run = SmallRun(program, scratch / number.name, SAVE_STEPS, STEPS)
        process = first_steps(run)
        process.send_signal(number)
        text, _ = process.communicate(timeout=HANG_SECONDS)
        check(process.returncode == 0, f"{number.name}: exit code {process.returncode}\n{text}")
        written = [int(step) for step in re.findall(r"^Step (\d+): checkpoint in", text, re.M)]
        check(written and written[0] < SAVE_STEPS, f"{number.name}: checkpoints were written after steps {written}")
        check_same(run, expected, number.name)


def a_second_run_is_refused(program, scratch, expected):
    run = SmallRun(program, scratch / "two", SAVE_STEPS, STEPS)
    process = first_steps(run)
    for more in ([], ["--overwrite"], ["--resume", "never"]):
        second = subprocess.run([*run.command, *more], cwd=run.folder, capture_output=True, text=True,
                                timeout=HANG_SECONDS, check=False)
        check(second.returncode == 1, f"the second run: exit code {second.returncode}\n{second.stdout}")
        who = f"process {process.pid} on {socket.gethostname()}, started 20"
        check(who in second.stderr, f"the second run does not say who the first is:\n{second.stderr}")
    text, _ = process.communicate(timeout=HANG_SECONDS)
    check(process.returncode == 0, f"the first run of two: exit code {process.returncode}\n{text}")
    check_same(run, expected, "the first run of two")
    check("finished" in run.finish(), "the lock of a run that came to its end is held")


def main():
    program = os.path.abspath(sys.argv[1])
    with scratch_folder() as scratch:
        scratch = pathlib.Path(scratch)
        whole = SmallRun(program, scratch / "whole", SAVE_STEPS, STEPS)
        whole.finish(threads=2)
        expected = result(whole)
        for test in (a_signal_ends_the_run_in_good_order, a_terminal_that_closes_ends_the_run_in_good_order,
                     nohup_is_heeded, two_signals_at_once_are_one_request, a_long_step_is_acknowledged_and_given_up,
                     a_second_signal_after_two_seconds_ends_it_at_once, a_reader_that_goes_does_not_end_the_run,
                     a_checkpoint_on_request_changes_nothing, a_second_run_is_refused):
            began = time.monotonic()
            test(program, scratch, expected)
            print(f"{test.__name__}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
