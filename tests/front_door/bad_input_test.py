"""Bad input through the scripts: exit 1 and a message with place and advice; nothing is left or changed."""
import json
import os
import shutil
import subprocess
import unittest

import numpy
from safetensors.numpy import load_file, save_file

from scene import ROOT, TINY, Scene


def setUpModule():
    global scene
    scene = Scene()
    scene.make_dataset()
    scene.must("02a_model_training.sh", **TINY, MAX_STEPS=2)


def tearDownModule():
    scene.close()


class BadInputTest(unittest.TestCase):
    def refused(self, script, *words, **variables):
        """The script fails with all of these words in its message, and leaves every file as it was."""
        before = scene.files()
        done = scene.run(script, **(TINY | dict(MAX_STEPS=2) | variables))
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(set(scene.files()), set(before))
        self.assertEqual(scene.files(), before)

    def write(self, name, text):
        path = scene.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.addCleanup(path.unlink, missing_ok=True)
        return name

    def copy(self, source, name):
        """A copy of a folder of the scene, to damage."""
        shutil.copytree(scene.folder / source, scene.folder / name)
        self.addCleanup(shutil.rmtree, scene.folder / name)
        return scene.folder / name


class MissingTest(BadInputTest):
    def test_each_names_the_command_that_makes_it(self):
        self.refused("01b_sequence_generation.sh", "Error: Graph file not found: ./results/torus_9x9/graph",
                     "Please run ", "01a_graph_generation.sh first", H=9, W=9)
        self.refused("01c_dataset_preparation.sh", "Error: Input CSV file not found: ./results/torus_9x9/sequences",
                     "Please run ", "01b_sequence_generation.sh first", H=9, W=9)
        self.refused("02a_model_training.sh", "Error: Dataset directory ./results/torus_9x9/dataset not found!",
                     "Please run ", "01c_dataset_preparation.sh first", H=9, W=9)
        self.refused("02b_representation_extraction.sh", "Error: Model directory ./results/torus_9x9/tiny/final_model",
                     "Please run ", "02a_model_training.sh first", H=9, W=9)
        self.refused("02a_model_training.sh", "Error: Model config configs/config_5M_llama.json not found",
                     "configs/config_2M_llama.json", RUN_NAME="5M_llama")

    def test_the_program_itself(self):
        self.refused("01a_graph_generation.sh", 'STRIDER is "no such program"', STRIDER="no such program")


class SettingTest(BadInputTest):
    def test_graph_and_walks(self):
        self.refused("01a_graph_generation.sh", "donut", "klein_x", TOPOLOGY="donut")
        self.refused("01a_graph_generation.sh", "NEIGH", NEIGH=5)
        self.refused("01a_graph_generation.sh", "H", "thirty", H="thirty")
        self.refused("01a_graph_generation.sh", "H", "-3", H=-3)
        for variable in ("MAX_SEQS", "MAX_LENGTH", "NO_REPEAT_WINDOW", "RESTART_PROB", "TEMPERATURE", "SEED",
                         "MIN_VISITS_PER_NODE"):
            for value in ("-3", "many"):
                with self.subTest(variable=variable, value=value):
                    self.refused("01b_sequence_generation.sh", variable, value, **{variable: value})
        for value in ("-0.5", "1.5", "half"):
            self.refused("01c_dataset_preparation.sh", "TRAIN_SPLIT", value, TRAIN_SPLIT=value)

    def test_training(self):
        for variable in ("EPOCHS", "BATCH_SIZE", "GRAD_ACCUM", "LEARNING_RATE", "MAX_LENGTH", "SAVE_STEPS", "EVAL_STEPS",
                         "LOGGING_STEPS", "SEED", "MAX_STEPS", "WARMUP_STEPS", "OPTIMIZER", "MOMENTUM", "WEIGHT_DECAY", "MAX_GRAD_NORM",
                         "LR_SCHEDULER", "SAVE_TOTAL_LIMIT", "LOSS_DENOMINATOR", "THREADS", "DEVICE", "PRECISION",
                         "OVERWRITE", "RESUME", "CONTINUE", "USE_CPU"):
            for value in ("-3", "a few"):
                with self.subTest(variable=variable, value=value):
                    self.refused("02a_model_training.sh", variable, value, **{variable: value})

    def test_extraction(self):
        self.refused("02b_representation_extraction.sh", "middle", "residual_before", REPRESENTATIONS="after_block middle")
        self.refused("02b_representation_extraction.sh", "epresentation", "residual_before", REPRESENTATIONS=" ")
        self.refused("02b_representation_extraction.sh", "OVERWRITE", OVERWRITE="maybe")


class ConfigTest(BadInputTest):
    def change(self, **fields):
        config = json.loads((ROOT / "configs/config_400K_llama.json").read_text()) | fields
        return self.write("changed.json", json.dumps(config))

    def test_broken_json_has_line_and_column(self):
        self.refused("02a_model_training.sh", "broken.json", "line 2, column 18",
                     CONFIG=self.write("broken.json", '{\n  "hidden_size": }\n'))

    def test_what_it_cannot_do_is_refused_by_name(self):
        for name, value in (("hidden_size", 0), ("attention_bias", True), ("model_type", "gpt2"), ("hidden_act", "gelu"),
                            ("rope_scaling", {"rope_type": "linear", "factor": 2.0}), ("rope_parameters", {"type": "linear", "factor": 2.0}),
                            ("architectures", ["Qwen2ForCausalLM"]), ("num_key_value_heads", 3),
                            ("num_hidden_layers", -1), ("rms_norm_eps", "small")):
            with self.subTest(field=name):
                self.refused("02a_model_training.sh", "changed.json", name, CONFIG=self.change(**{name: value}))


class DatasetTest(BadInputTest):
    def test_csv(self):
        head = "walk_id,length,sequence_labels\r\n"
        for text, *words in ((head + "0,2,1 2\r\n1,2,1 x\r\n", "line 3", "x"), (head + "0,3,1 2\r\n", "line 2", "length"),
                             (head + "0,2,1 -2\r\n", "line 2"), (head, "walk"), ("", "bad.csv"),
                             ("walk,nodes\r\n0,1 2\r\n", "sequence_labels"), (head + "0,0,\r\n", "line 2")):
            with self.subTest(text=text):
                self.refused("01c_dataset_preparation.sh", "bad.csv", *words, INPUT_CSV=self.write("bad.csv", text))

    def damage(self, name, change):
        folder = self.copy("results/torus_4x5/dataset", "damaged dataset")
        file = folder / name
        file.write_bytes(change(file.read_bytes()))
        return "damaged dataset"

    def test_folder(self):
        arrow = "validation/data-00000-of-00001.arrow"
        for name, change, *words in (
                (arrow, lambda data: data[:len(data) // 2], "data-00000-of-00001.arrow"),
                (arrow, lambda data: b"not an Arrow file at all", "data-00000-of-00001.arrow"),
                (arrow, lambda data: b"", "data-00000-of-00001.arrow"),
                ("validation/state.json", lambda data: data[:20], "state.json", "line"),
                ("vocab_info.json", lambda data: data.replace(b'"max_id": 19', b'"max_id": 18').replace(
                    b'"vocab_size": 20', b'"vocab_size": 19'), "walk", "position", "19"),
                ("dataset_dict.json", lambda data: b"[]", "dataset_dict.json")):
            with self.subTest(file=name, words=words):
                self.refused("02a_model_training.sh", *words, DATASET_DIR=self.damage(name, change), OUTPUT_DIR="new run")
                self.doCleanups()


class ModelTest(BadInputTest):
    def damaged(self, change):
        folder = self.copy("results/torus_4x5/tiny/final_model", "damaged model")
        change(folder / "model.safetensors")
        return "damaged model"

    def refused_by_both(self, change, *words):
        self.damaged(change)
        self.refused("02b_representation_extraction.sh", "model.safetensors", *words, MODEL_DIR="damaged model")
        self.refused("02a_model_training.sh", "model.safetensors", *words, INIT_FROM="damaged model", OUTPUT_DIR="new run")

    def test_a_header_that_lies(self):
        def lie(file):
            data = file.read_bytes()
            file.write_bytes((1 << 40).to_bytes(8, "little") + data[8:])
        self.refused_by_both(lie)

    def test_a_file_cut_short(self):
        self.refused_by_both(lambda file: file.write_bytes(file.read_bytes()[:-100]))

    def test_tensors_that_do_not_fit_the_configuration(self):
        def widen(file):
            tensors = load_file(file)
            tensors["model.norm.weight"] = numpy.ones(33, numpy.float32)
            save_file(tensors, file)
        self.refused_by_both(widen, "model.norm.weight")


@unittest.skipIf(os.geteuid() == 0 and not shutil.which("setpriv"), "root may write everywhere")
class PermissionTest(BadInputTest):
    def test_a_folder_that_may_not_be_written(self):
        locked = scene.folder / "locked"
        locked.mkdir(mode=0o555)
        self.addCleanup(locked.rmdir)
        scene.folder.chmod(0o755)
        # Root may write anywhere, so these run as nobody.
        become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        for script, variable in (("01a_graph_generation.sh", "GRAPH_DIR"), ("01c_dataset_preparation.sh", "DATASET_DIR"),
                                 ("02a_model_training.sh", "OUTPUT_DIR"),
                                 ("02b_representation_extraction.sh", "REPRESENTATION_DIR")):
            with self.subTest(script=script):
                environment = scene.environment(**(TINY | {variable: "locked/out"}))
                done = subprocess.run([*become, str(ROOT / script)], cwd=scene.folder, env=environment, text=True,
                                      stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
                if "Permission denied" in done.stderr and str(ROOT) in done.stderr:
                    self.skipTest("the project itself lies where nobody may not read")
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertIn("ermission", done.stderr)
                self.assertIn("locked", done.stderr)
        self.assertEqual(list(locked.iterdir()), [])


class UsageTest(unittest.TestCase):
    def test_wrong_usage_is_two(self):
        program = os.environ["STRIDER"]
        for arguments in ([], ["--nothing"], ["train", "--nothing"], ["dance"]):
            done = subprocess.run([program, *arguments], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, arguments)
        self.assertEqual(subprocess.run([program, "--version"], capture_output=True).returncode, 0)
        for command in ("graph", "walks", "dataset", "train", "extract", "inspect"):
            self.assertEqual(subprocess.run([program, command, "--help"], capture_output=True).returncode, 0)


if __name__ == "__main__":
    unittest.main()
