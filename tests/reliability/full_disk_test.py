"""A run into a disk that fills up says so, and goes on to the same bits once there is space.

    full_disk_test.py PROGRAM     mounts small filesystems in memory, so it is skipped (exit code 77) without the right to
"""

import contextlib
import os
import pathlib
import subprocess
import sys

from small_run import SmallRun, check, check_same, result, scratch_folder

SKIPPED = 77
# A checkpoint of the small run takes some 330 KiB, so these are full at the lock's own line, in the first checkpoint, in
# the third (where two are kept), or in final_model.
KIBIBYTES = (4, 60, 300, 600, 900, 1020)


@contextlib.contextmanager
def small_disk(place, kibibytes):
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "strider-test", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        print(f"skipped: {mounted.stderr.strip()}")
        sys.exit(SKIPPED)
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def main():
    program = os.path.abspath(sys.argv[1])
    if os.geteuid() != 0:
        print("skipped: only root may mount a filesystem")
        sys.exit(SKIPPED)
    with scratch_folder() as scratch:
        scratch = pathlib.Path(scratch)
        whole = SmallRun(program, scratch / "whole")
        whole.finish()
        expected = result(whole)
        stopped = 0
        for kibibytes in KIBIBYTES:
            run = SmallRun(program, scratch / str(kibibytes))
            with small_disk(run.output, kibibytes):
                code, text = run.run()
                when = f"a disk of {kibibytes} KiB"
                check(code in (0, 1), f"{when}: exit code {code}\n{text}")
                if code == 1:
                    stopped += 1
                    check("No space left on device" in text and "Free some space" in text, f"{when}: {text}")
                    check(not run.partials(), f"{when}: half-written files are left: {run.partials()}")
                    again, text = run.run()
                    check(again == 1, f"{when}: the second attempt: exit code {again}\n{text}")
                subprocess.run(["mount", "-o", "remount,size=16m", str(run.output)], check=True)
                run.finish()
                check_same(run, expected, when)
    check(stopped >= 4, f"only {stopped} of {len(KIBIBYTES)} disks were full")
    print(f"{stopped} of {len(KIBIBYTES)} disks were full before the run's end; all runs went on to the same bits")


if __name__ == "__main__":
    main()
