"""The manual pages: every command and option of --help is in them, and man, groff and mandoc have no complaint."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = os.environ["STRIDER"]


def program(*arguments):
    return subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, text=True).stdout


def plain(text):
    """A page as its reader sees it, whatever draws it: no overstrikes, no escapes, no line breaks."""
    text = re.sub(r".\x08|\x1b\[[0-9;]*m", "", text)
    return re.sub(r"\s+", " ", text)


def source_text(page):
    """The words of a page without what man(7) makes of them."""
    text = re.sub(r"\\f[BIR]", "", page.read_text())
    for escape, letter in ((r"\-", "-"), (r"\(aq", "'"), (r"\(ga", "`"), (r"\(ha", "^"), (r"\(ti", "~"), (r"\e", "\\")):
        text = text.replace(escape, letter)
    return text


class ManualTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name) / "man1"
        said = program("man", str(cls.folder))
        cls.pages = sorted(cls.folder.iterdir())
        assert [str(page) for page in cls.pages] == sorted(said.split()), said
        cls.commands = re.findall(r"^  (\w+)", program("--help").split("Subcommands:\n")[1], re.M)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_a_page_for_each_command(self):
        self.assertEqual({page.name for page in self.pages},
                         {"strider.1", *(f"strider-{command}.1" for command in self.commands)})
        self.assertGreater(len(self.pages), 9)
        text = source_text(self.folder / "strider.1")
        for command in self.commands:
            self.assertIn(f".TP\n{command}\n", text)

    def test_every_option_of_the_help_is_in_its_page(self):
        checked = 0
        for command in self.commands:
            text = source_text(self.folder / f"strider-{command}.1")
            value = r" ([A-Z0-9_]+(?: REQUIRED\b| \[[^\]\n]*\])?)(?![A-Za-z0-9])"
            for names, shown in re.findall(rf"^  (-[\w,-]*\w)(?=\s)(?:{value})?", program(command, "--help"), re.M):
                entry = ", ".join(names.split(",")) + (f" {shown}" if shown else "")
                self.assertIn(f".TP\n{entry}", text, command)
                checked += 1
        self.assertGreater(checked, 90)

    def test_the_notes_of_the_help_are_in_its_page(self):
        for command in self.commands:
            notes = program(command, "--help").split("Example:")
            if len(notes) > 1:
                example = notes[1].strip().splitlines()[0].rstrip("\\ ")
                self.assertIn(example, source_text(self.folder / f"strider-{command}.1"))

    def complaints(self, *command):
        for page in self.pages:
            done = subprocess.run([*command, str(page)], capture_output=True, text=True,
                                  env=dict(os.environ, MANROFFSEQ="", LC_ALL="C.UTF-8", MANWIDTH="100"))
            self.assertEqual((done.returncode, done.stderr), (0, ""), page.name)
            yield page, plain(done.stdout)

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_groff(self):
        for page, text in self.complaints("groff", "-ww", "-man", "-Tutf8"):
            self.assertIn("SEE ALSO", text, page)

    @unittest.skipUnless(shutil.which("man") and shutil.which("groff"), "man is not installed")
    def test_man(self):
        if "unminimize" in Path(shutil.which("man")).read_bytes()[:4096].decode(errors="replace"):
            self.skipTest("man is a stand-in here")
        for page, text in self.complaints("man", "--warnings", "-l"):
            self.assertIn("EXIT STATUS", text, page)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc(self):
        for page in self.pages:
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
            found = [line for line in done.stdout.splitlines() if "missing date" not in line]  # so that builds repeat
            self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
