"""Datasets that people wrote with the library datasets, not with 01c: columns beside input_ids, names of splits, empty
splits, other kinds of Arrow files, and messages that fit them."""
import json
import shlex
import shutil
import subprocess
import sys
import unittest

import numpy
import pyarrow
import pyarrow.feather
import pyarrow.parquet
from datasets import Dataset, DatasetDict, disable_progress_bars

from scene import Scene

VOCABULARY = 10
SMALL = dict(CONFIG="configs/config_tiny.json", DATASET_DIR="data", OUTPUT_DIR="out", BATCH_SIZE=4, MAX_STEPS=2, EVAL_STEPS=2,
             SAVE_STEPS=2, LOGGING_STEPS=1, THREADS=1)


def setUpModule():
    global scene
    disable_progress_bars()
    scene = Scene()


def tearDownModule():
    scene.close()


def walks(count, shortest=3, longest=12, seed=1):
    draw = numpy.random.default_rng(seed)
    return [draw.integers(0, VOCABULARY, draw.integers(shortest, longest + 1)).tolist() for _ in range(count)]


def padded(walk, value, length=16):
    return walk + [value] * (length - len(walk))


NOTHING = Dataset.from_dict({"input_ids": [[1]]}).select([])


class ForeignDatasetTest(unittest.TestCase):
    def write(self, vocabulary=VOCABULARY, folder="data", **splits):
        shutil.rmtree(scene.folder / folder, ignore_errors=True)
        shutil.rmtree(scene.folder / "out", ignore_errors=True)
        DatasetDict({name: columns if isinstance(columns, Dataset) else Dataset.from_dict(columns)
                     for name, columns in splits.items()}).save_to_disk(scene.folder / folder)
        (scene.folder / folder / "vocab_info.json").write_text(json.dumps({"vocab_size": vocabulary}))

    def log(self):
        """The log of the run, without its times."""
        text = (scene.folder / "out" / "trainer_state.json").read_text()
        return [{name: value for name, value in entry.items() if "runtime" not in name and "per_second" not in name}
                for entry in json.loads(text)["log_history"]]

    def trained(self, *lines):
        said = scene.must("02a_model_training.sh", **SMALL)
        for line in lines:
            self.assertIn(line + "\n", said)
        return self.log(), said

    def refused(self, *words):
        done = scene.run("02a_model_training.sh", **SMALL)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertNotIn("01c_dataset_preparation", done.stderr)
        self.assertFalse((scene.folder / "out").exists())
        return done.stderr


class ColumnTest(ForeignDatasetTest):
    TRAIN, VALIDATION = walks(12), walks(5, seed=2)

    def test_padding_is_not_trained_on(self):
        self.write(train={"input_ids": self.TRAIN}, validation={"input_ids": self.VALIDATION})
        alone, said = self.trained()
        self.assertNotIn("Beside input_ids", said)

        def with_columns(rows, pad, label):
            return {"input_ids": [padded(row, pad) for row in rows],
                    "attention_mask": [padded([1] * len(row), 0) for row in rows],
                    "labels": [padded(row, label) for row in rows]}
        for pad, label in ((0, -100), (3, 3), (50_000, -100)):  # padding need not be in the vocabulary
            with self.subTest(pad=pad):
                self.write(train=with_columns(self.TRAIN, pad, label), validation=with_columns(self.VALIDATION, pad, label))
                log, _ = self.trained("Beside input_ids attention_mask, labels are read: "
                                      "17 of 17 walks are cut where their padding begins.")
                self.assertEqual(log, alone)

    def test_labels_or_a_mask_alone_and_other_types(self):
        self.write(train={"input_ids": self.TRAIN})
        alone, _ = self.trained()
        ids = [padded(row, 0) for row in self.TRAIN]
        self.write(train={"input_ids": ids, "labels": [padded(row, -100) for row in self.TRAIN]})
        self.assertEqual(self.trained("Beside input_ids labels is read: 12 of 12 walks are cut where their padding begins.")[0],
                         alone)
        self.write(train={"input_ids": ids, "attention_mask": [padded([True] * len(row), False) for row in self.TRAIN]})
        self.assertEqual(self.trained("Beside input_ids attention_mask is read: "
                                      "12 of 12 walks are cut where their padding begins.")[0], alone)

    def test_columns_that_change_nothing_are_accepted(self):
        self.write(train={"input_ids": self.TRAIN})
        alone, _ = self.trained()
        self.write(train={"input_ids": self.TRAIN, "labels": self.TRAIN, "attention_mask": [[1] * len(row) for row in self.TRAIN],
                          "position_ids": [list(range(len(row))) for row in self.TRAIN], "note": ["mine"] * 12})
        log, _ = self.trained("Beside input_ids attention_mask, labels, position_ids are read, and change nothing: every walk "
                              "trains whole, on its next ids.")
        self.assertEqual(log, alone)

    def test_what_would_train_on_something_else_is_refused_with_its_place(self):
        ones = [[1] * len(row) for row in self.TRAIN]
        positions = [list(range(len(row))) for row in self.TRAIN]
        row = self.TRAIN[5]

        def at_five(rows, values):
            return [values if i == 5 else other for i, other in enumerate(rows)]
        for columns, *words in (
                ({"labels": at_five(self.TRAIN, [-100] + row[1:])}, "labels is -100", "train walk 5, position 0"),
                ({"labels": at_five(self.TRAIN, [row[0], (row[1] + 1) % VOCABULARY] + row[2:])}, "labels is",
                 "train walk 5, position 1"),
                ({"labels": at_five(self.TRAIN, [-100] * len(row))}, "train walk 5", "-100"),
                ({"labels": at_five(self.TRAIN, row[1:])}, "train walk 5", "labels has"),
                ({"labels": [1] * 12}, "labels", "not a list"),
                ({"attention_mask": at_five(ones, [0] + [1] * (len(row) - 1))}, "left padding", "train walk 5, position 1"),
                ({"attention_mask": at_five(ones, [1, 0, 1] + [1] * (len(row) - 3))}, "hole", "train walk 5, position 2"),
                ({"attention_mask": at_five(ones, [0] * len(row))}, "train walk 5", "without a token"),
                ({"attention_mask": at_five(ones, [2] * len(row))}, "attention_mask is 2", "train walk 5, position 0"),
                ({"position_ids": at_five(positions, [0] * len(row))}, "position_ids is 0", "train walk 5, position 1"),
                ({"completion_mask": at_five(ones, [0] + [1] * (len(row) - 1))}, "completion_mask is 0",
                 "train walk 5, position 0")):
            with self.subTest(words=words):
                self.write(train={"input_ids": self.TRAIN} | columns)
                self.refused("data/train/data-00000-of-00001.arrow", *words)


class SplitTest(ForeignDatasetTest):
    def test_another_name_for_validation(self):
        self.write(train={"input_ids": walks(8)}, validation={"input_ids": walks(4, seed=2)})
        expected, _ = self.trained()
        for name in ("test", "eval", "dev", "valid"):
            self.write(train={"input_ids": walks(8)}, **{name: {"input_ids": walks(4, seed=2)}})
            log, _ = self.trained(f"The dataset has no split validation; its split {name} serves as one.")
            self.assertEqual(log, expected)

    def test_validation_comes_before_test(self):
        self.write(train={"input_ids": walks(8)}, test={"input_ids": walks(4, seed=3)}, validation={"input_ids": walks(4, seed=2)})
        _, said = self.trained()
        self.assertNotIn("serves as", said)
        self.assertIn("eval_loss", (scene.folder / "out" / "trainer_state.json").read_text())

    def test_an_empty_validation_split_counts_as_none(self):
        self.write(train={"input_ids": walks(8)}, validation=NOTHING)
        log, _ = self.trained("The split validation of the dataset is empty and counts as none.")
        self.assertFalse(any("eval_loss" in entry for entry in log))

    def test_an_empty_train_split_is_refused(self):
        self.write(train=NOTHING)
        self.refused("the split train is empty")

    def test_no_train_split_names_those_that_there_are(self):
        self.write(training={"input_ids": walks(8)}, test={"input_ids": walks(8)})
        self.refused('no split "train"', "splits: training, test")


class ArrowKindTest(ForeignDatasetTest):
    def table(self):
        return pyarrow.table({"input_ids": walks(8)})

    def put(self, write):
        self.write(train={"input_ids": walks(8)})
        file = scene.folder / "data" / "train" / "data-00000-of-00001.arrow"
        file.unlink()
        write(file)
        return file

    def file_format(self, file):
        table = self.table()
        with pyarrow.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)

    def before_0_15(self, file):
        table = self.table()
        options = pyarrow.ipc.IpcWriteOptions(use_legacy_format=True, metadata_version=pyarrow.ipc.MetadataVersion.V4)
        with pyarrow.ipc.new_stream(file, table.schema, options=options) as writer:
            writer.write_table(table)

    def test_each_is_named_and_its_conversion_works(self):
        self.write(train={"input_ids": walks(8)})
        expected, _ = self.trained()
        for write, word in ((self.file_format, "ARROW1"), (self.before_0_15, "before version 0.15"),
                            (lambda file: pyarrow.parquet.write_table(self.table(), file), "Parquet"),
                            (lambda file: pyarrow.feather.write_feather(self.table(), file, version=2), "ARROW1")):
            with self.subTest(word=word):
                file = self.put(write)
                said = self.refused("data-00000-of-00001.arrow", word, "Convert it: python3")
                command = shlex.split(said.split("Convert it: ")[1].split(" NEW_FOLDER")[0])
                command[0] = sys.executable
                converted = scene.folder / "converted"
                shutil.rmtree(converted, ignore_errors=True)
                subprocess.run([*command, converted], cwd=file.parent, check=True, capture_output=True)
                shutil.rmtree(scene.folder / "data")
                converted.rename(scene.folder / "data")
                (scene.folder / "data" / "vocab_info.json").write_text('{"vocab_size": 10}')
                self.assertEqual(self.trained()[0], expected)


class AdviceTest(ForeignDatasetTest):
    def test_damage_and_ids_outside_the_vocabulary(self):
        self.write(vocabulary=9, train={"input_ids": [[1, 2], [3, 9]]})
        self.refused("the id 9 is outside the vocabulary of 9", "train walk 1, position 1", "vocab_size")
        self.write(train={"input_ids": walks(8)})
        file = scene.folder / "data" / "train" / "data-00000-of-00001.arrow"
        file.write_bytes(file.read_bytes()[:-20])
        self.refused("data-00000-of-00001.arrow", "Copy the dataset again, or write it again with save_to_disk")
        self.write(train={"ids": walks(8)})
        self.refused("there is no column input_ids", "columns: ids", "rename_column")

    def test_no_such_folder(self):
        done = scene.run("02a_model_training.sh", **(SMALL | dict(DATASET_DIR="no such folder")))
        self.assertEqual(done.returncode, 1)
        self.assertIn("Dataset directory no such folder not found!\nPlease name a dataset folder with DATASET_DIR", done.stderr)

    def test_no_vocab_info(self):
        self.write(train={"input_ids": walks(8)})
        (scene.folder / "data" / "vocab_info.json").unlink()
        self.refused("vocab_info.json is missing", '{"vocab_size": N}')


if __name__ == "__main__":
    unittest.main()
