"""What a sweep consists of, read from its YAML file: graphs, ways to walk, runs, and the variables that each of the
numbered scripts gets. The Snakefile turns this into jobs.

    {results}/{graph}/graph/                       01a, once for all walks
    {results}/{graph}/{walks}/sequences/, dataset/ 01b and 01c, once for all runs
    {results}/{graph}/{walks}/{run}/               02a, 02b; run = {preset}_{recipe}_{training}_{seed}
"""
import json
import os
import re
import shlex
import subprocess
from itertools import product, takewhile
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[1]
# What the sweep itself decides.
OWN = {
    "TOPOLOGY": "surfaces or graphs", "H": "sizes", "W": "sizes", "CONFIG": "presets", "RUN_NAME": "presets",
    "RECIPE": "recipes", "THREADS": "threads", "OVERWRITE": None, "CONTINUE": None, "RESUME": None, "PLAN": None,
    "GRAPH_DIR": "results", "OUT": "results", "COUNTS_OUT": "results", "INPUT_CSV": "results", "DATASET_DIR": "results",
    "OUTPUT_DIR": "results", "MODEL_DIR": "results", "REPRESENTATION_DIR": "results", "LOG_DIR": "results",
    "REPORT": None, "STRIDER": None, "RANKS": None, "RANK_TIMEOUT": None,
}
GRAPH, WALKS, DATASET, TRAIN, EXTRACT = ("01a_graph_generation.sh", "01b_sequence_generation.sh",
                                         "01c_dataset_preparation.sh", "02a_model_training.sh",
                                         "02b_representation_extraction.sh")


class SweepError(Exception):
    """What is wrong with a sweep, and what to do."""


def front_door(commands):
    """What the functions that the numbered scripts share print (steps/front_door.sh)."""
    shell = f"SCRIPT_DIR={shlex.quote(str(ROOT))}; source \"$SCRIPT_DIR/steps/front_door.sh\"; {commands}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SweepError(done.stderr.removeprefix("Error: ").strip())
    return done.stdout.strip()


def program():
    """The program strider, found as the scripts find it."""
    return front_door('find_strider; echo "$STRIDER"')


def check_form(config):
    schema = yaml.safe_load((Path(__file__).parent / "sweep.schema.yaml").read_text())
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(config))
    if error is not None:
        place = ": ".join(str(step) for step in error.absolute_path)
        raise SweepError((f"{place}: " if place else "") + error.message +
                         f"\nAn example with everything in its place: {ROOT / 'workflow/sweep.yaml'}")


def variables_of(script):
    """The variables that a numbered script knows, as its --help lists them."""
    text = subprocess.run([ROOT / script, "--help"], capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^  ([A-Z][A-Z0-9_]*(?:, [A-Z][A-Z0-9_]*)*) ", text, re.MULTILINE)
    return {name for line in lines for name in line.split(", ")}


def as_text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def texts(values):
    return {name: as_text(value) for name, value in (values or {}).items()}


def shell_words(variables):
    """NAME=value words for env(1)."""
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(variables.items()))


class Sweep:
    def __init__(self, config):
        check_form(config)
        self.results = Path(config.get("results", "results"))
        self.threads = config.get("threads", 1)
        if "runs_per_gpu" in config and "gpus" not in config:
            raise SweepError("runs_per_gpu: says how many runs share a GPU, and gpus, the number of GPUs, is missing")
        self.gpus = int(config.get("gpus", 0))
        self.runs_per_gpu = int(config.get("runs_per_gpu", 1))
        self.graphs = self._graphs(config)
        self.walks = {name: texts(values) for name, values in config.get("walks", {"plain": {}}).items()}
        self.settings = texts(config.get("settings"))
        self.known = {script: variables_of(script) for script in (GRAPH, WALKS, DATASET, TRAIN, EXTRACT)}
        training = {name: texts(values) for name, values in config.get("training", {"plain": {}}).items()}
        self.presets = {}
        for preset in config["presets"]:
            file = Path(preset) if preset.endswith(".json") else ROOT / f"configs/config_{preset}.json"
            if not file.is_file():
                known = ", ".join(sorted(known.stem.removeprefix("config_") for known in ROOT.glob("configs/*.json")))
                raise SweepError(f"presets: there is no {file}\nThe presets are {known}; others are named by the path of "
                                 "their .json file")
            name = file.stem.removeprefix("config_")
            if name in self.presets:
                raise SweepError(f"presets: two of them are named {name}")
            self.presets[name] = file
        seeds = config.get("seeds", [42])
        self.runs = {}  # (graph, walks, run): what it differs in
        for graph, walks, preset, recipe, way, seed in product(
                self.graphs, self.walks, self.presets, config.get("recipes", ["reference"]), training, seeds):
            name = f"{preset}_{recipe}_{way}_{seed}"
            self.runs[graph, walks, name] = {
                "graph": graph, "walks": walks, "preset": preset, "recipe": recipe, "training": way, "seed": seed,
                "variables": {**training[way], "RECIPE": recipe, "SEED": str(seed),
                              "CONFIG": str(self.presets[preset])}}
        self._check_variables(training)
        if self.gpus and not any(self.takes_gpu(*key) for key in self.runs):
            raise SweepError("gpus: no run takes a GPU: all have DEVICE=cpu or USE_CPU=true, under settings or training\n"
                             "Remove gpus, or set DEVICE to cuda or auto")

    @staticmethod
    def _graphs(config):
        """Name of a graph: the variables of 01a that make it."""
        graphs = {}
        if "surfaces" in config or "sizes" in config:
            known = front_door("TOPOLOGY=all list_surfaces").split()
            for surface, size in product(config.get("surfaces", ["torus"]), config.get("sizes", ["30x40"])):
                if surface not in known:
                    raise SweepError(f"surfaces: there is no {surface}; there are {' '.join(known)}\n"
                                     "A graph of your own goes under graphs: {name: {GRAPH_FROM: file}}")
                rows, columns = size.split("x")
                graphs[f"{surface}_{size}"] = {"TOPOLOGY": surface, "H": rows, "W": columns}
        for name, values in config.get("graphs", {}).items():
            values = texts(values)
            if "GRAPH_FROM" not in values:
                raise SweepError(f"graphs: {name} has no GRAPH_FROM, the file of the graph")
            if not Path(values["GRAPH_FROM"]).is_file():
                raise SweepError(f"graphs: {name}: there is no file {values['GRAPH_FROM']}")
            graphs[f"{name}_1x1"] = {"TOPOLOGY": name, "H": "1", "W": "1", **values}
        if not graphs:
            raise SweepError("the sweep names no graph: it has neither surfaces and sizes nor graphs")
        return graphs

    def _check_variables(self, training):
        known = self.known
        data = known[GRAPH] | known[WALKS] | known[DATASET]
        places = [("settings", self.settings, data | known[TRAIN] | known[EXTRACT])]
        places += [(f"walks: {name}", values, data) for name, values in self.walks.items()]
        places += [(f"training: {name}", values, known[TRAIN] | known[EXTRACT]) for name, values in training.items()]
        for place, values, allowed in places:
            for name in values:
                if name in OWN:
                    instead = f"; the sweep says it under {OWN[name]}" if OWN[name] else ""
                    raise SweepError(f"{place}: {name} is not for a sweep to set{instead}")
                if name == "SEED" and place == "settings":
                    raise SweepError("settings: SEED would be that of walks and of training; say seeds, or SEED of "
                                     "some walks")
                if name not in allowed:
                    raise SweepError(f"{place}: the scripts that this is for have no variable {name}\n"
                                     "Their --help lists them, such as ./02a_model_training.sh --help")

    # Variables of the scripts.

    def base(self, graph):
        chosen = self.graphs[graph]
        return {name: chosen[name] for name in ("TOPOLOGY", "H", "W")}

    def _for(self, script, *variables):
        """Those that the script knows, later ones first."""
        merged = {name: value for some in (self.settings, *variables) for name, value in some.items()}
        return {name: value for name, value in merged.items() if name in self.known[script]}

    def graph_variables(self, graph):
        return self._for(GRAPH, self.graphs[graph], {"GRAPH_DIR": str(self.results / graph / "graph")})

    def walk_variables(self, graph, walks):
        folder = self.results / graph / walks
        name = "{TOPOLOGY}_{H}x{W}".format(**self.base(graph))
        return self._for(WALKS, self.walks[walks], self.base(graph),
                         {"GRAPH_DIR": str(self.results / graph / "graph"),
                          "OUT": str(folder / f"sequences/walks_{name}.csv"),
                          "COUNTS_OUT": str(folder / f"sequences/visit_counts_{name}.csv")})

    def dataset_variables(self, graph, walks):
        return self._for(DATASET, self.walks[walks], self.base(graph),
                         {"INPUT_CSV": self.walk_variables(graph, walks)["OUT"],
                          "DATASET_DIR": str(self.results / graph / walks / "dataset")})

    def run_variables(self, graph, walks, run):
        return self._for(TRAIN, self.runs[graph, walks, run]["variables"], self._run_places(graph, walks, run))

    def plan_variables(self, graph, walks, run):
        """Of the job that plans a run: on the CPU, since it has no GPU of its own."""
        variables = self.run_variables(graph, walks, run)
        if not self.takes_gpu(graph, walks, run):
            return variables
        # tf32 is for a GPU; its numbers take the memory of float32.
        precision = {"PRECISION": "float32"} if variables.get("PRECISION") == "tf32" else {}
        return {**variables, **precision, "DEVICE": "cpu"}

    def extract_variables(self, graph, walks, run):
        # Slots of GPUs are for training; DEVICE under settings is a variable of 02b too.
        device = {"DEVICE": "cpu"} if self.gpus else {}
        # What an interrupted extraction left is of no use to anyone.
        return self._for(EXTRACT, self.runs[graph, walks, run]["variables"], self._run_places(graph, walks, run),
                         {"OVERWRITE": "true", "REPORT": "false", **device})

    def data_variables(self, graph, walks):
        """Of the walks and the dataset, whose folder stands for both."""
        return {**self.walk_variables(graph, walks), **self.dataset_variables(graph, walks)}

    def _run_places(self, graph, walks, run):
        folder = self.results / graph / walks / run
        return {**self.base(graph), "RUN_NAME": run, "GRAPH_DIR": str(self.results / graph / "graph"),
                "DATASET_DIR": str(self.results / graph / walks / "dataset"), "OUTPUT_DIR": str(folder),
                "MODEL_DIR": str(folder / "final_model"), "REPRESENTATION_DIR": str(folder / "token_representations")}

    # GPUs.

    def takes_gpu(self, graph, walks, run):
        """Whether a run is to have a slot of a GPU."""
        variables = self.run_variables(graph, walks, run)
        return (self.gpus > 0 and variables.get("DEVICE", "auto") in ("auto", "cuda") and
                variables.get("USE_CPU") != "true")

    def gpus_here(self, environment):
        """The GPUs of this machine to choose from, by their names for CUDA: the first `gpus` of CUDA_VISIBLE_DEVICES, or
        of all where that is not set."""
        listed = environment.get("CUDA_VISIBLE_DEVICES")
        if listed is None:
            return [str(index) for index in range(self.gpus)]
        names = [name.strip() for name in listed.split(",")]
        valid = list(dict.fromkeys(takewhile(lambda name: name not in ("", "-1"), names)))  # CUDA stops at the others
        if len(valid) < self.gpus:
            raise SweepError(f'gpus: {self.gpus}, and CUDA_VISIBLE_DEVICES="{listed}" names {len(valid)}')
        return valid[:self.gpus]

    def trained_on_cpu(self, log_folder):
        """(run, what its log says) of the finished runs that were to have a GPU and, with DEVICE=auto, did without."""
        found = []
        for key in self.runs:
            log = Path(log_folder).joinpath(*key, "train.log")
            if self.takes_gpu(*key) and self.results.joinpath(*key, self.RECORD).is_file() and log.is_file():
                said = re.findall(r"^DEVICE=auto: the run is on the .*$", log.read_text(errors="replace"), re.MULTILINE)
                if said and said[-1].startswith("DEVICE=auto: the run is on the CPU"):
                    found.append(("/".join(key), said[-1]))
        return found

    # What folders were made with. A file of this name in each of them says it.

    RECORD = "sweep_settings.json"

    @staticmethod
    def record(variables):
        return json.dumps(variables, indent=1, sort_keys=True)

    def refuse_other_settings(self):
        """Throws SweepError where a folder was made with other settings: it would have to be replaced."""
        folders = [(self.results / graph / "graph", self.graph_variables(graph)) for graph in self.graphs]
        for graph, walks in product(self.graphs, self.walks):
            folders.append((self.results / graph / walks / "dataset", self.data_variables(graph, walks)))
        for key in self.runs:
            folders.append((self.results.joinpath(*key), self.run_variables(*key)))
        changed = []
        for folder, variables in folders:
            file = folder / self.RECORD
            if not file.is_file():
                continue
            before = json.loads(file.read_text())
            names = [name for name in sorted({*before, *variables}) if before.get(name) != variables.get(name)]
            if names:
                changed.append(f"  {folder}: " + ", ".join(
                    f"{name} was {before.get(name, 'not set')}, is {variables.get(name, 'not set')}" for name in names))
        if changed:
            raise SweepError("these folders were made with other settings:\n" + "\n".join(changed) +
                             "\nGive the new settings a name of their own under walks: or training:, name another folder "
                             "under results:, or remove these folders")

    # The table.

    def row(self, key):
        """What a finished run came to; None of one that is not finished."""
        folder = self.results.joinpath(*key)
        try:
            trained = json.loads((folder / "strider_run.json").read_text())
            geometry = json.loads((folder / "token_representations/geometry.json").read_text())
        except FileNotFoundError:
            return None
        run, result = self.runs[key], trained["result"]
        graph = self.graphs[run["graph"]]
        loss, best = result.get("eval_loss_per_prediction"), best_loss(self.results.joinpath(*key[:2]) / "dataset")
        row = {"graph": run["graph"], "surface": graph["TOPOLOGY"], "rows": int(graph["H"]), "columns": int(graph["W"]),
               "walks": run["walks"], "preset": run["preset"], "recipe": run["recipe"], "training": run["training"],
               "seed": run["seed"], "steps": result["steps"], "eval_loss": loss, "best_possible_loss": best,
               "excess": None if loss is None or best is None else loss - best}
        for measure in ("neighbours", "within_two", "geodesic_correlation", "component_correlation", "rsa",
                        "laplacian_alignment", "probe_r2"):
            layers = [layer for layer in geometry["layers"] if layer.get(measure) is not None]
            found = max(layers, key=lambda layer: layer[measure], default=None)
            row[measure] = None if found is None else found[measure]
            row[f"{measure}_at"] = None if found is None else found["array"]
        moves = geometry.get("moves") or {}
        for measure in ("on_neighbours", "on_allowed"):
            row[measure] = moves.get(measure)
        for measure in ("on_edges", "allowed", "valid_walks"):
            row[f"sampled_{measure}"] = (moves.get("sampled") or {}).get(measure)
        return row

    def write_table(self, csv_file, parquet_file):
        """Writes the finished runs, and returns how many there are."""
        import pyarrow
        from pyarrow import csv, parquet

        rows = [row for row in map(self.row, self.runs) if row is not None]
        if not rows:
            return 0
        table = pyarrow.Table.from_pylist(rows)
        for file, write in ((Path(csv_file), csv.write_csv), (Path(parquet_file), parquet.write_table)):
            file.parent.mkdir(parents=True, exist_ok=True)
            half = file.with_name(f".{file.name}.tmp")
            write(table, half)
            os.replace(half, file)
        return len(rows)

    def unfinished_table(self):
        """The files of the table of a sweep some of whose runs have failed."""
        return [self.results / f"sweep_unfinished.{kind}" for kind in ("csv", "parquet")]

    def forget_unfinished_table(self):
        for file in self.unfinished_table():
            file.unlink(missing_ok=True)

    def failures(self, log_folder, lines=5):
        """(name of a job, last lines of its log) of the steps that have begun and not ended, as far as logs say."""
        found = []
        for log in sorted(Path(log_folder).rglob("*.log")):
            step = log.stem
            folder = self.results / log.parent.relative_to(log_folder)
            done = {"graph": folder / "graph" / self.RECORD, "dataset": folder / "dataset" / self.RECORD,
                    "plan": folder / "plan.json", "train": folder / self.RECORD,
                    "represent": folder / "token_representations/token_representations.npz",
                    "measure": folder / "token_representations/geometry.json", "report": folder / "report.html"}
            if step in done and not done[step].exists():
                text = log.read_text(errors="replace").rstrip().splitlines()
                found.append((f"{step} of {log.parent.relative_to(log_folder)}", text[-lines:], log))
        return found


def best_loss(dataset):
    try:
        return json.loads((dataset / "vocab_info.json").read_text()).get("best_loss")
    except FileNotFoundError:
        return None
