"""The training settings are the same in `strider train --help`, in 02a_model_training.sh and in the README: names,
variables, defaults, and what CONTINUE=true may change."""
import os
import re
import subprocess
import unittest

from scene import ROOT, Scene

SCRIPT = "02a_model_training.sh"
PLACES = {"DATASET_DIR", "CONFIG", "OUTPUT_DIR", "LOG_DIR"}  # their defaults follow from H, W, TOPOLOGY and RUN_NAME


def program_settings():
    """{variable: (option, default)} and the options that --continue allows, of the program's help."""
    text = subprocess.run([os.environ["STRIDER"], "train", "--help"], check=True, capture_output=True, text=True).stdout
    found = {}
    for option, variable, rest in re.findall(r"^  --(\w+)(?:,--[\w-]+)? ([A-Z_]+)(?![A-Z_])(.*)$", text, re.M):
        default = re.match(r" \[([^\]]*)\]", rest)
        found[variable] = (option, default[1] if default else "")
    continued = re.search(r"--continue allows other values of\n((?:  .*\n)+)", text)[1]
    return found, re.findall(r"--(\w+)", continued)


def readme_settings():
    """{variable: default} of the tables of 02a, and the variables that the line of CONTINUE names."""
    text = (ROOT / "README.md").read_text()
    section = text.split(f"`{SCRIPT}`:", 1)[1].split("`02b_representation_extraction.sh`:", 1)[0]
    found = {}
    for names, defaults in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|([^|]*)\|", section, re.M):
        names = re.findall(r"`(\w+)`", names)
        defaults = defaults.strip().split(", ")
        found.update(zip(names, defaults, strict=True))
    continued = re.search(r"^\| `CONTINUE` \|.*$", section, re.M)[0]
    return found, re.findall(r"`(\w+)`", continued)[1:]


def value(text):
    """5e-4 and 0.0005 are the same number."""
    try:
        return float(text)
    except ValueError:
        return text


class SettingsTest(unittest.TestCase):
    def setUp(self):
        self.scene = Scene()
        self.addCleanup(self.scene.close)
        self.program, self.continued = program_settings()

    def passed_options(self, **variables):
        """{option: value} that the script calls the program with."""
        listing = self.scene.folder / "list arguments"
        listing.write_text('#!/bin/sh\nprintf "argument %s\\n" "$@"\n')
        listing.chmod(0o755)
        (self.scene.folder / "data").mkdir(exist_ok=True)
        places = dict(STRIDER=listing, DATASET_DIR="data", RUN_NAME="tiny")
        arguments = re.findall(r"^argument (.*)$", self.scene.must(SCRIPT, **(places | variables)), re.M)
        self.assertEqual(arguments[0], "train")
        return dict(re.fullmatch(r"--(\w+)=(.*)", argument).groups() for argument in arguments[1:])

    def test_the_help_was_understood(self):
        self.assertGreater(len(self.program), 25)
        self.assertEqual(self.program["BATCH_SIZE"], ("batch_size", "50"))
        self.assertIn("epochs", self.continued)

    def test_the_readme_has_them_all(self):
        readme, continued = readme_settings()
        self.assertEqual(sorted(readme), sorted(self.program))
        for variable in set(readme) - PLACES:
            self.assertEqual(value(readme[variable]), value(self.program[variable][1]), variable)
        self.assertEqual(sorted(continued), sorted(v for v, (option, _) in self.program.items() if option in self.continued))

    def test_the_script_has_them_all_and_the_same_defaults(self):
        help_text = subprocess.run([ROOT / SCRIPT, "--help"], env=self.scene.environment(), check=True,
                                   capture_output=True, text=True).stdout
        script = dict(re.findall(r"^  ([A-Z_]+) +\S.* \[(.*)\]$", help_text, re.M))
        for shared in ("RUN_NAME", "STRIDER"):
            del script[shared]
        self.assertEqual(sorted(script), sorted(self.program))
        for variable in set(script) - PLACES:
            self.assertEqual(value(script[variable]), value(self.program[variable][1]), variable)
        by_option = {option: default for option, default in self.program.values()}
        for option, passed in self.passed_options().items():
            if option not in ("dataset_dir", "config", "output_dir", "logging_dir"):
                self.assertEqual(value(passed), value(by_option[option]), option)

    def test_the_script_passes_each_variable_as_its_option(self):
        config = self.scene.folder / "configs/config_tiny.json"
        given = {variable: f"value of {variable}" for variable in self.program}
        given |= dict(DATASET_DIR="data", CONFIG=config)
        passed = self.passed_options(**given)
        self.assertEqual(passed, {option: str(given[variable]) for variable, (option, _) in self.program.items()})


if __name__ == "__main__":
    unittest.main()
