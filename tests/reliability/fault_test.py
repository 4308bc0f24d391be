"""Every write, flush, rename and the like of a command fails once, one after the other; and from each one on, the disk is full.

    fault_test.py PROGRAM LIBRARY     STRIDER_FAULTS=all: every call (without it: some 10 of each case, at regular
                                      distances from a first one that STRIDER_SEED shifts)

After each failure: exit code 1 and a message that names a file, nothing half-written under a final name, and the same
command without faults ends with the same bits. Where a command may do without the call (see is_tolerated), exit code 0
and the same bits at once.
"""

import errno
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zlib

from small_run import GOLDEN, HANG_SECONDS, PARTIAL, Failure, SmallRun, check, check_same, result, scratch_folder

SAMPLE = 10
INJECTED = re.compile(r"injected fault (\d+): (\w+) (.*)")
GRID = ["--topology", "torus", "--H", "5", "--W", "6"]


def is_tolerated(call, path):
    """Calls that a filesystem or container may refuse, or that remove what nobody needs any more."""
    optional = ("fsync_folder", "flock", "statx", "renameat2", "open_direct", "pwrite_direct", "unlinkat")
    moved_to_be_removed = call == "rename" and re.search(r"/\.checkpoint-\d+\.partial-\d+$", path)
    # The lock's own file keeps nothing that could be lost when it is closed.
    harmless_close = call == "close" and path.endswith(".strider.lock")
    return call in optional or bool(moved_to_be_removed) or harmless_close or (call == "remove" and PARTIAL in path)


class Training(SmallRun):
    """Two checkpoints, one of which goes, and the end."""

    def __init__(self, program, folder):
        super().__init__(program, folder, save_steps=1, max_steps=3)
        self.arguments = [*self.command[1:], "--threads", "1"]

    def whole(self):
        return result(self)

    def check_left(self, when, expected):
        for name in self.names():
            if name.startswith("checkpoint-"):
                check_checkpoint(self.output / name, when)
        for file in ("final_model/model.safetensors", "final_model/config.json", "final_model/vocab.json"):
            if (self.output / "final_model").exists():
                check((self.output / file).read_bytes() == expected[file], f"{when}: {file} is not whole")

    def bits(self):
        """Of the result: an old checkpoint may stay longer than it should."""
        finished = result(self)
        return {name: finished[name] for name in finished if name.startswith(("final_model", "strider_run"))}

    def check_end(self, when, expected):
        check_same(self, expected, when)


class Files:
    """A command whose output files are the same bytes each time."""

    def __init__(self, folder, arguments, is_one_folder):
        self.folder, self.arguments, self.is_one_folder = pathlib.Path(folder), arguments, is_one_folder
        self.folder.mkdir(parents=True)
        self.output = self.folder / "out"

    def whole(self):
        return {str(path.relative_to(self.output)): path.read_bytes()
                for path in self.output.rglob("*") if path.is_file()}

    def bits(self):
        return self.whole()

    def partials(self):
        return [str(path) for path in self.folder.rglob(f"*{PARTIAL}*")]

    def check_left(self, when, expected):
        found = self.whole()
        for name, content in found.items():
            check(expected.get(name) == content, f"{when}: {name} is not whole")
        check(not found or not self.is_one_folder or found.keys() == expected.keys(),
              f"{when}: a part of the folder is in its place: {sorted(found)}")

    def check_end(self, when, expected):
        found = self.whole()
        check(found == expected, f"{when}: the same command later gives other files: {sorted(found)}")
        check(not self.partials(), f"{when}: half-written files are left: {self.partials()}")


def check_checkpoint(folder, when):
    described = json.loads((folder / "strider_state.json").read_text())["files"]
    check({*described, "strider_state.json"} == {*os.listdir(folder)}, f"{when}: {folder.name} lacks files")
    for file, facts in described.items():
        content = (folder / file).read_bytes()
        check(len(content) == facts["bytes"] and zlib.crc32(content) == facts["crc32"], f"{when}: {file} is not whole")


def execute(program, case, faults=None):
    """Exit code, what was printed, and the injected faults as (number, call, path)."""
    try:
        ended = subprocess.run([program, *case.arguments], cwd=case.folder, stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=HANG_SECONDS,
                               env={**os.environ, "ASAN_OPTIONS": "verify_asan_link_order=0", **(faults or {})})
    except subprocess.TimeoutExpired as hang:
        raise Failure(f"the command hangs under {faults}") from hang
    return ended.returncode, ended.stdout, INJECTED.findall(ended.stdout)


class Sweep:
    """All faults of one kind on one command."""

    def __init__(self, program, library, scratch, make):
        self.program, self.library, self.scratch, self.make = program, library, pathlib.Path(scratch), make
        whole = make(self.scratch / "whole")
        code, text, _ = execute(program, whole)
        check(code == 0, f"the command fails without any fault:\n{text}")
        self.expected, self.expected_bits = whole.whole(), whole.bits()

    def once(self, number, error, lasts):
        """One fault; the call that failed, or None when there are fewer calls."""
        folder = self.scratch / "faulty"
        case = self.make(folder)
        code, text, injected = execute(self.program, case, {
            "LD_PRELOAD": self.library, "STRIDER_FAULT_FOLDER": f"{case.folder}/", "STRIDER_FAULT_NUMBER": str(number),
            "STRIDER_FAULT_ERRNO": str(error), "STRIDER_FAULT_LASTS": str(int(lasts))})
        call = None
        if injected:
            call = injected[0][1]
            when = f"{case.arguments[0]}, {errno.errorcode[error]} at call {number} ({call} of {injected[0][2]})"
            harmless = all(is_tolerated(name, path) for _, name, path in injected)
            check(code == (0 if harmless else 1), f"{when}: exit code {code}\n{text}")
            check(harmless or re.search(r"^Error: .+(\n  in .*/?\w+)", text, re.M), f"{when}: no file is named\n{text}")
            left = case.partials()
            removals = {"unlinkat", "remove", "rename"}
            check(not left or removals & {name for _, name, _ in injected} or lasts, f"{when}: half-written files are left: {left}\n{text}")
            case.check_left(when, self.expected)
            check(not harmless or case.bits() == self.expected_bits, f"{when}: the result is another one\n{text}")
            code, again, _ = execute(self.program, case)
            check(code == 0, f"{when}: the same command then ends with exit code {code}\n{again}\n{text}")
            case.check_end(when, self.expected)
        else:
            check(code == 0, f"without a fault: exit code {code}\n{text}")
        shutil.rmtree(folder)
        return call

    def count_calls(self):
        low, high = 0, 1
        while self.once(high, errno.EIO, False):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.once(middle, errno.EIO, False) else (low, middle)
        return low

    def run(self, every, shift):
        calls = self.count_calls()
        check(calls > 10, f"only {calls} calls can fail: the fault layer is not at work")
        stride = 1 if every else -(-calls // SAMPLE)
        tried = {}
        for number in range(1 + shift % stride, calls + 1, stride):
            for error, lasts in ((errno.EIO, False), (errno.ENOSPC, True)):
                call = self.once(number, error, lasts)
                tried[call] = tried.get(call, 0) + 1
        return calls, tried


def main():
    program, library = (str(pathlib.Path(argument).resolve()) for argument in sys.argv[1:3])
    every = os.environ.get("STRIDER_FAULTS") == "all"
    shift = int(os.environ.get("STRIDER_SEED", "0"))
    with scratch_folder() as scratch:
        source = Files(pathlib.Path(scratch, "source"), ["graph", *GRID, "--output_dir", "graph"], False)
        walks = ["walks", *GRID, "--graph_dir", str(source.folder / "graph"), "--max_seqs", "60", "--max_length", "12"]
        for arguments in (source.arguments, [*walks, "--out", "walks.csv"]):
            subprocess.run([program, *arguments], cwd=source.folder, check=True, stdout=subprocess.DEVNULL)
        dataset = ["dataset", "--input_csv", str(source.folder / "walks.csv"), "--output_dir", "out"]
        extract = ["extract", "--model_dir", str(GOLDEN / "final_model"), "--output_dir", "out", "--threads", "1"]
        cases = {
            "train": lambda folder: Training(program, folder),
            "graph": lambda folder: Files(folder, ["graph", *GRID, "--output_dir", "out"], False),
            "walks": lambda folder: Files(folder, [*walks, "--out", "out/walks.csv"], False),
            "dataset": lambda folder: Files(folder, dataset, True),
            "extract": lambda folder: Files(folder, extract, True),
        }
        for name, make in cases.items():
            calls, tried = Sweep(program, library, pathlib.Path(scratch, name), make).run(every, shift)
            print(f"{name}: {calls} calls that can fail, {sum(tried.values())} faults tried: {tried}", flush=True)


if __name__ == "__main__":
    main()
