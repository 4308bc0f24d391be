"""The settings are the same in the program's help, in the numbered scripts and in the README: names, variables and
defaults, and for training also what CONTINUE=true may change."""
import os
import re
import subprocess
import unittest

from scene import ROOT, Scene

SCRIPT = "02a_model_training.sh"
COMMANDS = {"01a_graph_generation.sh": "graph", "01b_sequence_generation.sh": "walks",
            "01c_dataset_preparation.sh": "dataset", SCRIPT: "train", "02b_representation_extraction.sh": "extract"}
GRID = {"H", "W", "TOPOLOGY"}
SHARED = {"RUN_NAME", "STRIDER", "REPORT", "CHECKPOINTS", "PROJECTOR"}  # of scripts alone
# Their defaults follow from H, W, TOPOLOGY and RUN_NAME.
PLACES = {"GRAPH_DIR", "OUT", "COUNTS_OUT", "INPUT_CSV", "DATASET_DIR", "CONFIG", "OUTPUT_DIR", "LOG_DIR", "MODEL_DIR",
          "REPRESENTATION_DIR"}


def program_help(command):
    return subprocess.run([os.environ["STRIDER"], command, "--help"], check=True, capture_output=True, text=True).stdout


def program_settings(command):
    """{variable: (option, default)} of a command's help."""
    found = {}
    for option, variable, rest in re.findall(r"^  --(\w+)(?:,--[\w-]+)? ([A-Z0-9_]+)(?![A-Z0-9_])(.*)$",
                                             program_help(command), re.M):
        default = re.match(r" \[([^\]]*)\]", rest)
        found[variable] = (option, default[1] if default else "")
    for path in ("FILE", "PROJECTOR_DIR"):  # that no script has under this name
        found.pop(path, None)
    return found


def continuable_options():
    listed = re.search(r"--continue allows other values of\n((?:  .*\n)+)", program_help("train"))[1]
    return re.findall(r"--(\w+)", listed)


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
        self.program = program_settings("train")

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
        self.assertIn("epochs", continuable_options())

    def test_the_readme_has_them_all(self):
        readme, continued = readme_settings()
        self.assertEqual(sorted(readme), sorted(self.program))
        for variable in set(readme) - PLACES:
            self.assertEqual(value(readme[variable]), value(self.program[variable][1]), variable)
        listed = continuable_options()
        self.assertEqual(sorted(continued), sorted(name for name, (option, _) in self.program.items() if option in listed))

    def test_the_scripts_have_them_all_and_the_same_defaults(self):
        for name, command in COMMANDS.items():
            program = program_settings(command)
            text = subprocess.run([ROOT / name, "--help"], env=self.scene.environment(), check=True, capture_output=True,
                                  text=True).stdout
            script = dict(re.findall(r"^  ([A-Z0-9_]+) +\S.* \[(.*)\]$", text, re.M))
            self.assertEqual(set(script) - SHARED, set(program) - GRID, name)
            for variable in set(script) - SHARED - PLACES:
                self.assertEqual(value(script[variable]), value(program[variable][1]), f"{name}: {variable}")

    def test_the_script_passes_the_defaults(self):
        defaults = dict(self.program.values())
        for option, passed in self.passed_options().items():
            if option not in ("dataset_dir", "config", "output_dir", "logging_dir", "graph_dir"):
                self.assertEqual(value(passed), value(defaults[option]), option)

    def test_the_script_passes_each_variable_as_its_option(self):
        config = self.scene.folder / "configs/config_tiny.json"
        given = {variable: f"value of {variable}" for variable in self.program}
        given |= dict(DATASET_DIR="data", CONFIG=config)
        passed = self.passed_options(**given)
        self.assertEqual(passed, {option: str(given[variable]) for variable, (option, _) in self.program.items()})


if __name__ == "__main__":
    unittest.main()
