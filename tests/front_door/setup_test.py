"""scripts/system_packages.sh, with stand-ins for the system's commands that record what they are asked."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from scene import ROOT

INSTALLED = {"g++", "cmake", "python3"}


class SystemPackagesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.bin = Path(self.folder.name)
        self.calls = self.bin / "calls"
        for tool in ("bash", "env"):
            path = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
            (self.bin / tool).symlink_to(path)
        self.command("apt-get", f'echo "$@" >>"{self.calls}"')

    def command(self, name, body):
        file = self.bin / name
        file.write_text(f"#!/usr/bin/env bash\n{body}\n")
        file.chmod(0o755)

    def run_as(self, user, *uses, installed=INSTALLED):
        self.command("id", f"echo {user}")
        names = "|".join(sorted(installed))
        self.command("dpkg-query", f'case ${{!#}} in {names}) printf installed ;; *) exit 1 ;; esac')
        done = subprocess.run([ROOT / "scripts/system_packages.sh", *uses], env={"PATH": str(self.bin)}, text=True,
                              capture_output=True)
        return done, self.calls.read_text().splitlines() if self.calls.exists() else []

    def test_installs_what_is_missing_and_nothing_else(self):
        done, calls = self.run_as(0, "build", "test")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(calls), 2)
        self.assertIn("update", calls[0].split())
        words = calls[1].split()
        self.assertIn("libxsmm-dev", words)
        self.assertIn("libgtest-dev", words)
        self.assertFalse(INSTALLED & set(words))

    def test_leaves_apt_alone_when_nothing_is_missing(self):
        done, calls = self.run_as(1000, "test", installed={"libgtest-dev", "librapidcheck-dev"})
        self.assertEqual((done.returncode, calls), (0, []))

    def test_says_what_an_administrator_has_to_do(self):
        done, calls = self.run_as(1000, "test", installed={"libgtest-dev"})
        self.assertEqual((done.returncode, calls), (1, []))
        self.assertIn("apt-get install librapidcheck-dev", done.stderr)

    def test_goes_through_sudo(self):
        self.command("sudo", f'echo sudo >>"{self.calls}"; exec "$@"')
        done, calls = self.run_as(1000, "test", installed={"libgtest-dev"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(calls.count("sudo"), 2)
        self.assertIn("librapidcheck-dev", calls[-1])

    def test_a_machine_without_apt(self):
        (self.bin / "apt-get").unlink()
        done, _ = self.run_as(0, "test")
        self.assertEqual(done.returncode, 1)
        self.assertIn("libgtest-dev", done.stderr)


if __name__ == "__main__":
    unittest.main()
