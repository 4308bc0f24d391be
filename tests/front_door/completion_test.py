"""Completion in the shells themselves: bash always, zsh and fish where they are installed."""
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path(os.environ["STRIDER"]).resolve()
SHELLS = ("bash", "zsh", "fish")


def setUpModule():
    global scratch, folder
    scratch = tempfile.TemporaryDirectory(prefix="strider completion ")
    folder = Path(scratch.name)
    (folder / "bin").mkdir()
    (folder / "bin" / "strider").symlink_to(PROGRAM)
    (folder / "data folder").mkdir()
    (folder / "data.csv").write_text("")
    for shell in SHELLS:
        (folder / f"strider.{shell}").write_text(program("completion", shell))


def tearDownModule():
    scratch.cleanup()


def program(*arguments):
    return subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, text=True).stdout


def environment():
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "vt100", "PS1": "READY> "}


def help_of(command):
    """The options of a command's help: {first name: [names]}."""
    lines = re.findall(r"^  (-[\w,-]*\w)(?=\s)", program(command, "--help"), re.M)
    return [line.split(",") for line in lines]


def commands():
    listed = program("--help").split("Subcommands:\n")[1]
    return re.findall(r"^  (\w+)", listed, re.M)


class Terminal:
    """A shell on a terminal. What is typed goes to its line editor; Ctrl-A and echo then show the line as it stands."""

    def __init__(self, *arguments):
        self.ours, its = pty.openpty()
        self.text = ""  # that was read and not yet looked at
        self.shell = subprocess.Popen(arguments, cwd=folder, env=environment(), stdin=its, stdout=its, stderr=its,
                                      start_new_session=True)
        os.close(its)

    def read_until(self, pattern):
        while not (found := re.search(pattern, self.text)):
            if not select.select([self.ours], [], [], 20)[0]:
                raise AssertionError(f"no {pattern!r} in {self.text!r}")
            self.text += os.read(self.ours, 65536).decode(errors="replace")
        text, self.text = self.text[:found.end()], self.text[found.end():]
        return text

    def run(self, line):
        os.write(self.ours, f"{line}; printf '%s%s\\n' DO NE\n".encode())
        self.read_until("DONE\r\n")
        self.read_until("READY> ")

    def completed(self, line):
        os.write(self.ours, f"{line}\t\x01echo 'GO''T' \n".encode())
        return re.search(r"GOT ([^\r\n]*)", self.read_until(r"GOT [^\r\n]*\r\n"))[1].strip()

    def close(self):
        os.close(self.ours)
        self.shell.kill()
        self.shell.wait()


class BashTest(unittest.TestCase):
    def offered(self, *words):
        """What bash is offered for the last of the words, as readline would ask."""
        script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _strider; printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "--norc", "-uc", script, "bash", folder / "strider.bash", "strider", *words],
                              cwd=folder, env=environment(), capture_output=True, text=True)
        self.assertEqual(done.stderr, "", words)
        return done.stdout.split("\n")[:-1] if done.stdout != "\n" else []

    def test_commands(self):
        self.assertEqual(set(self.offered("")), {*commands(), "--help", "--version"})
        self.assertGreater(len(commands()), 8)
        self.assertEqual(self.offered("in"), ["inspect"])

    def test_every_option_in_both_spellings(self):
        for command in commands():
            options = help_of(command)
            self.assertGreater(len(options), 0, command)
            first = [next(name for name in names if name.startswith("--")) for names in options]
            self.assertEqual(set(self.offered(command, "--")), set(first), command)
            for names in options:
                for name in names:
                    self.assertIn(name, self.offered(command, name), command)

    def test_values(self):
        self.assertEqual(self.offered("train", "--precision", ""), ["float32", "bfloat16", "tf32", "auto"])
        self.assertEqual(self.offered("train", "--precision", "=", "b"), ["bfloat16"])
        self.assertEqual(self.offered("train", "--precision", "="), ["float32", "bfloat16", "tf32", "auto"])
        self.assertEqual(self.offered("train", "--precision=b"), ["--precision=bfloat16"])
        self.assertEqual(self.offered("train", "--lr-scheduler", "cos"), ["cosine"])
        self.assertEqual(self.offered("train", "--threads", ""), ["all"])
        self.assertEqual(self.offered("train", "--batch_size", ""), [])
        self.assertEqual(self.offered("train", "--overwrite", "t"), ["true"])
        self.assertIn("--epochs", self.offered("train", "--overwrite", ""))
        self.assertIn("--epochs", self.offered("train", "--batch_size", "5", "--ep"))
        several = self.offered("extract", "--representations", "after_block", "ffn")
        self.assertEqual(several, ["ffn_gate", "ffn_up"])
        self.assertEqual(self.offered("completion", ""), ["bash", "zsh", "fish"])
        self.assertEqual(self.offered("completion", "z"), ["zsh"])

    def test_files_and_folders(self):
        self.assertEqual(self.offered("dataset", "--input_csv", "dat"), ["data folder", "data.csv"])
        self.assertEqual(self.offered("train", "--dataset_dir", "dat"), ["data folder"])
        self.assertEqual(self.offered("inspect", "data."), ["data.csv"])
        self.assertEqual(self.offered("train", "dat"), [])

    def test_what_is_no_command(self):
        self.assertEqual(self.offered("bogus", "--"), [])

    def test_on_a_terminal(self):
        terminal = Terminal("bash", "--norc", "--noprofile", "-i")
        self.addCleanup(terminal.close)
        terminal.read_until("READY> ")
        terminal.run("source strider.bash")
        for typed, completed in (("strider insp", "strider inspect"),
                                 ("strider train --max-gr", "strider train --max-grad-norm"),
                                 ("strider train --precision=bf", "strider train --precision=bfloat16"),
                                 ("strider train --precision bf", "strider train --precision bfloat16"),
                                 ("strider inspect data.", "strider inspect data.csv")):
            self.assertEqual(terminal.completed(typed), completed)
            terminal.read_until("READY> ")
        # A name with a space comes quoted, and a folder goes on behind a slash.
        self.assertEqual(terminal.completed("strider train --dataset_dir data\\ f"),
                         "strider train --dataset_dir data folder/")


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class ZshTest(unittest.TestCase):
    def test_on_a_terminal(self):
        terminal = Terminal("zsh", "-f", "-i")
        self.addCleanup(terminal.close)
        terminal.read_until("READY> ")
        terminal.run("autoload -U compinit && compinit -D -u && source ./strider.zsh")
        for typed, completed in (("strider insp", "strider inspect"),
                                 ("strider train --max-gr", "strider train --max-grad-norm"),
                                 ("strider train --precision=bf", "strider train --precision=bfloat16"),
                                 ("strider train --precision bf", "strider train --precision bfloat16"),
                                 ("strider extract --representations after_block ffn_g",
                                  "strider extract --representations after_block ffn_gate"),
                                 ("strider completion zs", "strider completion zsh"),
                                 ("strider inspect data.", "strider inspect data.csv")):
            self.assertEqual(terminal.completed(typed), completed)
            terminal.read_until("READY> ")

    def test_as_a_file_of_fpath(self):
        (folder / "functions").mkdir()
        shutil.copy(folder / "strider.zsh", folder / "functions" / "_strider")
        terminal = Terminal("zsh", "-f", "-i")
        self.addCleanup(terminal.close)
        terminal.read_until("READY> ")
        terminal.run("fpath=($PWD/functions $fpath) && autoload -U compinit && compinit -D -u")
        for typed in ("strider mea", "strider gra"):  # the first loads the file
            self.assertIn(terminal.completed(typed), ("strider measure", "strider graph"))
            terminal.read_until("READY> ")


@unittest.skipUnless(shutil.which("fish"), "fish is not installed")
class FishTest(unittest.TestCase):
    def offered(self, line):
        done = subprocess.run(["fish", "--no-config", "-c", f"source strider.fish; complete -C '{line}'"], cwd=folder,
                              env=environment(), check=True, capture_output=True, text=True)
        return [row.split("\t")[0] for row in done.stdout.splitlines()]

    def names(self, line):
        """Of options; one whose value may be left out is offered with an = as well."""
        return {name.removesuffix("=") for name in self.offered(line)}

    def test_it_completes(self):
        self.assertLessEqual(set(commands()), set(self.offered("strider ")))
        self.assertEqual(self.offered("strider insp"), ["inspect"])
        for command in commands():
            long = {name for names in help_of(command) for name in names if name.startswith("--")}
            self.assertEqual(self.names(f"strider {command} --"), long)
        self.assertEqual(set(self.offered("strider train --precision ")), {"float32", "bfloat16", "auto"})
        self.assertEqual(self.offered("strider train --precision=b"), ["--precision=bfloat16"])
        self.assertEqual(self.offered("strider train --dataset_dir dat"), ["data folder/"])
        self.assertIn("data.csv", self.offered("strider inspect dat"))


class OtherTest(unittest.TestCase):
    def test_another_shell_is_refused(self):
        done = subprocess.run([PROGRAM, "completion", "tcsh"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("The shells are bash, zsh and fish", done.stderr)


if __name__ == "__main__":
    unittest.main()
