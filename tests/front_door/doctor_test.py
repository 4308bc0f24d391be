"""strider doctor: what it says is what the system says; the same as JSON."""
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = os.environ["STRIDER"]


def call(*arguments, **how):
    return subprocess.run([PROGRAM, "doctor", *arguments], capture_output=True, text=True, timeout=60, **how)


class DoctorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = call("--json")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        cls.found = json.loads(done.stdout)

    def test_the_processor(self):
        processor = self.found["processor"]
        self.assertEqual(processor["allowed"], len(os.sched_getaffinity(0)))
        self.assertLessEqual(processor["threads"], processor["allowed"])
        self.assertEqual(processor["online"], os.cpu_count())
        names = {line.split(": ")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                 if line.startswith("model name")}
        if names:
            self.assertIn(processor["name"], names)

    def test_fewer_processors_are_seen(self):
        first = min(os.sched_getaffinity(0))
        done = call("--json", preexec_fn=lambda: os.sched_setaffinity(0, {first}))
        found = json.loads(done.stdout)
        self.assertEqual((found["processor"]["allowed"], found["processor"]["threads"]), (1, 1))
        if os.cpu_count() > 1:
            self.assertTrue(any("may use 1 of" in advice for advice in found["advice"]), found["advice"])

    def test_speeds_are_those_of_a_processor(self):
        for name, flops in self.found["flops"].items():
            self.assertGreater(flops, 1e8, name)
            self.assertLess(flops, 1e15, name)

    def test_memory_and_disk(self):
        memory = self.found["memory"]
        self.assertEqual(memory["total"], int(Path("/proc/meminfo").read_text().split()[1]) * 1024)
        self.assertLessEqual(memory["limit"], memory["total"])
        self.assertEqual(self.found["disk"]["folder"], os.getcwd())
        disk = os.statvfs(".")
        self.assertLess(abs(self.found["disk"]["free"] - disk.f_bavail * disk.f_frsize), 20e9)

    def test_versions(self):
        versions = self.found["versions"]
        said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout
        self.assertEqual(said, f"strider {versions['strider']}\n")
        self.assertGreaterEqual(set(versions["libraries"]), {"Arrow", "CLI11", "fmt", "Highway", "libzip", "zlib", "Eigen",
                                                             "nlohmann/json", "libxsmm", "protobuf", "glibc"})
        for name, version in versions["libraries"].items():
            self.assertRegex(version, r"^(\d+\.\d+|none)", name)

    def test_what_a_person_reads(self):
        done = call()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for words in (self.found["processor"]["name"], "Matrix products, bfloat16: ", "Disk: ", "THREADS=all: ",
                      f"Strider {self.found['versions']['strider']}, built by "):
            self.assertIn(words, done.stdout)

    def test_a_folder_that_is_gone(self):
        folder = tempfile.mkdtemp()
        done = subprocess.run(["bash", "-c", f'cd {folder} && rmdir {folder} && "{PROGRAM}" doctor --json'],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertIsNone(found["disk"]["free"])
        self.assertIn("free disk", found["not_known"])


if __name__ == "__main__":
    unittest.main()
