"""What a filesystem or a container says that it cannot do is done without: the same bits, exit code 0, and where something
is less safe then, one line that says so. And old checkpoints that cannot be removed, since a reader holds them.

    unsupported_test.py PROGRAM LIBRARY
"""

import errno
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

from small_run import HANG_SECONDS, SmallRun, check, result, scratch_folder

REFUSALS = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EACCES, errno.EIO)
STUCK = (errno.EBUSY, errno.ENOTEMPTY, errno.EACCES, errno.ESTALE)
INJECTED = re.compile(r"^injected fault \d+: (\w+) ", re.M)
UNFLUSHED = "cannot be flushed to the disk"
UNLOCKED = "has no locks"
GRID = ["--topology", "torus", "--H", "5", "--W", "6"]


class Chain:
    """graph, walks, dataset (twice, so that one is replaced) and extract into one folder."""

    def __init__(self, program, library, folder, model):
        self.program, self.library, self.folder = program, library, pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        dataset = ["dataset", "--input_csv", "out/walks.csv", "--output_dir", "out/dataset"]
        self.commands = {
            "graph": ["graph", *GRID, "--output_dir", "out/graph"],
            "walks": ["walks", *GRID, "--graph_dir", "out/graph", "--max_seqs", "60", "--max_length", "12",
                      "--out", "out/walks.csv"],
            "dataset": dataset,
            "dataset again": dataset,
            "extract": ["extract", "--model_dir", str(model), "--output_dir", "out/representations", "--threads", "1"],
        }

    def run(self, **faults):
        """What each command printed."""
        return {name: run(self.program, self.library, self.folder, command, faults)
                for name, command in self.commands.items()}

    def files(self):
        return {str(path.relative_to(self.folder)): path.read_bytes()
                for path in self.folder.rglob("*") if path.is_file()}


def run(program, library, folder, command, faults, expected_code=0):
    environment = {**os.environ, "ASAN_OPTIONS": "verify_asan_link_order=0"}
    if faults:
        environment |= {"LD_PRELOAD": library, "STRIDER_FAULT_FOLDER": f"{folder}/",
                        **{f"STRIDER_FAULT_{name.upper()}": str(value) for name, value in faults.items()}}
    ended = subprocess.run([program, *command], cwd=folder, env=environment, stdin=subprocess.DEVNULL, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=HANG_SECONDS)
    check(ended.returncode == expected_code, f"{command[0]} under {faults}: exit code {ended.returncode}\n{ended.stdout}")
    return ended.stdout


def write_model(folder):
    """A model of zeros whose representations take several of the writer's buffers of 4 MiB."""
    hidden, vocabulary = 16, 60000
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({
        "model_type": "llama", "hidden_size": hidden, "intermediate_size": hidden, "num_hidden_layers": 1,
        "num_attention_heads": 1, "vocab_size": vocabulary, "tie_word_embeddings": True}))
    square, row = [hidden, hidden], [hidden]
    layer = {f"self_attn.{name}_proj": square for name in "qkvo"} | {
        f"mlp.{name}_proj": square for name in ("gate", "up", "down")} | {
        "input_layernorm": row, "post_attention_layernorm": row}
    shapes = {"model.embed_tokens.weight": [vocabulary, hidden], "model.norm.weight": row} | {
        f"model.layers.0.{name}.weight": shape for name, shape in layer.items()}
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * (shape[1] if len(shape) == 2 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))


def check_chain(program, library, scratch):
    model = pathlib.Path(scratch, "model")
    write_model(model)
    whole = Chain(program, library, pathlib.Path(scratch, "whole"), model)
    whole.run()
    expected = whole.files()
    reached = set()
    for calls, errors, notices in (("fsync_folder", REFUSALS, 1), ("renameat2", REFUSALS[:3], 0), ("flock", REFUSALS[:1], 0),
                                   ("statx", REFUSALS[2:3], 0), ("open_direct", REFUSALS[3:4], 0),
                                   ("pwrite_direct", REFUSALS[:1], 0),
                                   ("fsync_folder,flock,renameat2,statx,open_direct", REFUSALS[1:2], 1)):
        for error in errors:
            when = f"{calls} answer {errno.errorcode[error]}"
            chain = Chain(program, library, pathlib.Path(scratch, f"{calls}-{error}"), model)
            for name, text in chain.run(calls=calls, errno=error).items():
                reached.update(INJECTED.findall(text))
                check(text.count(UNFLUSHED) == notices, f"{name} where {when}: {text.count(UNFLUSHED)} notices\n{text}")
            check(chain.files() == expected, f"where {when}: other files: {sorted(chain.files())}")
    check({"fsync_folder", "flock", "renameat2", "statx"} <= reached, f"only {reached} were called")
    for error, code in ((errno.EOPNOTSUPP, 0), (errno.EIO, 1), (errno.ENOSPC, 1)):
        folder = pathlib.Path(scratch, f"fsync-{error}")
        folder.mkdir()
        text = run(program, library, folder, whole.commands["graph"], {"calls": "fsync", "errno": error}, code)
        check(text.count(UNFLUSHED) == 1 - code, f"where fsync of a file answers {errno.errorcode[error]}:\n{text}")
    print(f"chain: refused and done without: {sorted(reached)}", flush=True)


def check_training(program, library, scratch):
    whole = SmallRun(program, pathlib.Path(scratch, "whole run"), save_steps=2, max_steps=6)
    whole.finish()
    expected = result(whole)
    command = [*whole.command[1:], "--threads", "1"]
    for calls, errors, unflushed, unlocked in (("fsync_folder", REFUSALS, 1, 0), ("flock", REFUSALS[:2], 0, 1),
                                               ("fsync_folder,flock,renameat2", REFUSALS[1:2], 1, 1)):
        for error in errors:
            when = f"train where {calls} answer {errno.errorcode[error]}"
            other = SmallRun(program, pathlib.Path(scratch, f"{calls} {error}"), save_steps=2, max_steps=6)
            text = run(program, library, other.folder, command, {"calls": calls, "errno": error})
            check(INJECTED.search(text), f"{when}: no call was refused")
            said = (text.count(UNFLUSHED), text.count(UNLOCKED))
            check(said == (unflushed, unlocked), f"{when}: notices {said}\n{text}")
            check(result(other) == expected, f"{when}: another result")
    check_removals(program, library, scratch, command, expected)


def check_removals(program, library, scratch, command, expected):
    """A reader holds checkpoint-2: its files cannot be removed, or it cannot even be moved."""
    for calls, stays in (("unlinkat,remove", ".checkpoint-2.partial-"), ("rename", "checkpoint-2")):
        hidden = r"/\.checkpoint-2\.partial-[0-9]+" + ("$" if calls == "rename" else "")
        for error in STUCK:
            when = f"train where {calls} of checkpoint-2 answers {errno.errorcode[error]}"
            faults = {"calls": calls, "errno": error, "path": hidden}
            other = SmallRun(program, pathlib.Path(scratch, f"held {calls} {error}"), save_steps=2, max_steps=6)
            more = ["--save_total_limit", "1"]
            for sitting in ("", ", the same command again"):
                text = run(program, library, other.folder, [*command, *more], faults)
                lines = [line for line in text.splitlines() if "tried again later" in line and "checkpoint-2" in line]
                check(len(lines) == 1, f"{when}{sitting}: said {len(lines)} times\n{text}")
                check(any(name.startswith(stays) for name in other.names()), f"{when}{sitting}: {other.names()}")
            run(program, library, other.folder, [*command, *more], {})
            left = [name for name in other.names() if "checkpoint-2" in name]
            check(not left, f"{when}: a later start leaves {left}")
            model = "final_model/model.safetensors"
            check((other.output / model).read_bytes() == expected[model], f"{when}: another model")


def main():
    program, library = (str(pathlib.Path(argument).resolve()) for argument in sys.argv[1:3])
    # On a disk, since files in memory are never written past the page cache.
    with tempfile.TemporaryDirectory(prefix="strider-reliability-") as scratch:
        check_chain(program, library, scratch)
    with scratch_folder() as scratch:
        check_training(program, library, scratch)


if __name__ == "__main__":
    main()
