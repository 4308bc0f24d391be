"""A run that is killed again and again, at random moments, ends with the bits of one that was never stopped.

    kill_test.py PROGRAM        STRIDER_KILLS: how many kills (15); STRIDER_SEED: of their moments
"""

import os
import pathlib
import random
import sys
import time

from small_run import SmallRun, check, check_same, result, scratch_folder

SAVE_STEPS = 3  # so often that a good part of the kills falls into the writing of a checkpoint


def wait_for_writing(run, seconds):
    """Until something is half-written; not longer than so many seconds."""
    end = time.monotonic() + seconds
    while not run.partials() and time.monotonic() < end:
        pass


def kill_once(run, draw, usual_seconds, overwrites=False):
    """One sitting that is killed at a random moment; whether it was (it may have come to its end before)."""
    process = run.start(threads=draw.randint(1, 3), more=["--overwrite", "--resume", "never"] if overwrites else [])
    time.sleep(draw.uniform(0.0, 0.5 * usual_seconds))
    if draw.random() < 0.5:
        wait_for_writing(run, 0.2 * usual_seconds)
    process.kill()
    text, _ = process.communicate()
    check(process.returncode in (0, -9), f"a sitting ended with exit code {process.returncode}:\n{text}")
    return process.returncode == -9


def main():
    program = sys.argv[1]
    wanted = int(os.environ.get("STRIDER_KILLS", "15"))
    seed = int(os.environ.get("STRIDER_SEED", str(time.time_ns() % 1_000_000 if "STRIDER_KILLS" in os.environ else 1)))
    print(f"seed {seed}", flush=True)
    draw = random.Random(seed)
    with scratch_folder() as scratch:
        whole = SmallRun(program, pathlib.Path(scratch, "whole"), SAVE_STEPS)
        began = time.monotonic()
        whole.finish()
        usual_seconds = time.monotonic() - began
        expected = result(whole)
        kills = in_writing = before_first = runs = 0
        while kills < wanted:
            run = SmallRun(program, pathlib.Path(scratch, f"run-{runs}"), SAVE_STEPS)
            killed = True
            while killed and kills < wanted:
                killed = kill_once(run, draw, usual_seconds, overwrites=draw.random() < 0.05)
                kills += killed
                in_writing += killed and bool(run.partials())
                before_first += killed and not any(name.startswith("checkpoint-") for name in run.names())
            run.finish()
            check_same(run, expected, f"seed {seed}, after {kills} kills")
            kills += kill_once(run, draw, 0.2 * usual_seconds, overwrites=True)
            run.finish()
            check_same(run, expected, f"seed {seed}, after {kills} kills, the last while a finished run was overwritten")
            runs += 1
    print(f"{kills} kills over {runs} runs, {in_writing} of them inside the writing of a file or folder, "
          f"{before_first} before the first checkpoint: 0 differences")


if __name__ == "__main__":
    main()
