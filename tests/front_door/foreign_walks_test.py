"""Walks that were not made by 01b: tables that pandas wrote are read; other kinds of files are named, and the command that
the message gives makes of them what 01c reads."""
import bz2
import csv
import gzip
import json
import lzma
import os
import pickle
import subprocess
import sys
import unittest
from pathlib import Path

import numpy
import pandas
import pyarrow

from scene import ROOT, Scene

WALKS = [[0, 1, 2, 3], [3, 2], [1, 0, 2, 1, 3], [2, 2, 0]]
HEADER = "walk_id,length,sequence_labels"
LINES = [f"{i},{len(walk)},{' '.join(map(str, walk))}" for i, walk in enumerate(WALKS)]


def setUpModule():
    global scene
    scene = Scene()


def tearDownModule():
    scene.close()


class ForeignWalksTest(unittest.TestCase):
    def setUp(self):
        self.number = 0

    def prepare(self, data, name="my walks.csv", **variables):
        if data is not None:
            (scene.folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return scene.run("01c_dataset_preparation.sh", INPUT_CSV=name, DATASET_DIR="data", TRAIN_SPLIT=1, **variables)

    def walks(self):
        """The walks of the dataset, in their order."""
        table = pyarrow.ipc.open_stream(pyarrow.memory_map(str(scene.folder / "data/train/data-00000-of-00001.arrow"))).read_all()
        return table["input_ids"].to_pylist()

    def read(self, data, expected=WALKS):
        done = self.prepare(data)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.walks(), expected)
        return done.stdout

    def refused(self, data, *words):
        done = self.prepare(data)
        self.assertEqual(done.returncode, 1, done.stdout)
        for word in words:
            self.assertIn(word, done.stderr)
        return done.stderr

    def paste(self, command):
        """In a shell whose python3 has pandas."""
        environment = scene.environment()
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        done = subprocess.run(["bash", "-ec", command], cwd=scene.folder, env=environment, text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, command + "\n" + done.stderr)

    def converted(self, data, *words, expected=WALKS, column=""):
        """Refused by the name of its kind; what the command makes of it is read."""
        said = self.refused(data, *words)
        command = said.split("INPUT_CSV: ")[1].strip().splitlines()[0].replace(" COLUMN", f" {column}")
        command = command.split(f" {column}, where")[0] + f" {column}" if column else command
        self.paste(command.split(" (OUT.csv.ids.json")[0])
        self.read((scene.folder / "OUT.csv").read_bytes(), expected)


class PandasTest(ForeignWalksTest):
    FRAME = pandas.DataFrame({"walk_id": range(4), "length": [len(walk) for walk in WALKS],
                              "sequence_labels": [" ".join(map(str, walk)) for walk in WALKS]})

    def test_an_index_column_and_floats(self):
        self.read(self.FRAME.to_csv())
        floats = self.FRAME.astype({"walk_id": float, "length": float})
        floats["sequence_labels"] = [" ".join(str(float(node)) for node in walk) for walk in WALKS]
        self.read(floats.to_csv())
        self.read(floats.to_csv(index=False, quoting=csv.QUOTE_ALL))
        self.read(floats[["sequence_labels", "length", "walk_id"]].to_csv(index=False, lineterminator="\r\n"))

    def test_what_is_no_whole_number_is_not_guessed(self):
        for label in ("1.5", "nan", "True", "1e-3", "-1.0", "4e9"):
            self.refused(f"{HEADER}\n0,2,0 {label}\n", f'"{label}" is no token id', "line 2", "walk 0, position 1")
        self.refused(f"{HEADER}\n0,2.5,0 1\n", 'length is "2.5"')

    def test_lists(self):
        for text in ([str(walk) for walk in WALKS], [str(numpy.array(walk)) for walk in WALKS]):
            said = self.refused(self.FRAME.assign(sequence_labels=text).to_csv(index=False), "without brackets", "line 2")
            self.paste(said[said.index("python3 -c"):].strip())
            self.read((scene.folder / "OUT.csv").read_bytes())


class KindTest(ForeignWalksTest):
    CSV = "\n".join([HEADER, *LINES]) + "\n"

    def test_compressed(self):
        for word, compress in (("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress)):
            self.converted(compress(self.CSV.encode()), f"compressed with {word}")
        for data, is_read in ((gzip.compress(self.CSV.encode()), True), (bz2.compress(self.CSV.encode()), False)):
            self.assertEqual("FROM=" in self.refused(data, "compressed with"), is_read)

    def test_plain_text(self):
        for line in (" {}".format, "{}\r".format, lambda text: text.replace(" ", "\t"), lambda text: text.replace(" ", ", ")):
            self.converted("# mine\n" + "\n".join(line(" ".join(map(str, walk))) for walk in WALKS), "plain text without a header")
        words = "\n".join(" ".join("ABCD"[node] for node in walk) for walk in WALKS)
        self.converted(words, "plain text", "its tokens are words", "FROM='my walks.csv' in the place of INPUT_CSV")
        self.assertEqual(json.loads((scene.folder / "OUT.csv.ids.json").read_text()), {"A": 0, "B": 1, "C": 2, "D": 3})

    def test_words_in_a_csv(self):
        lines = [f"{i},{len(walk)},{' '.join('node' + str(node) for node in walk)}" for i, walk in enumerate(WALKS)]
        said = self.refused("\n".join([HEADER, *lines]), '"node0" is no token id', "Tokens are numbers")
        self.paste(said[said.index("python3 -c"):].strip())
        self.read((scene.folder / "OUT.csv").read_bytes())

    def test_json(self):
        self.converted("\n".join(json.dumps({"id": i, "input_ids": walk}) for i, walk in enumerate(WALKS)), "JSON lines")
        self.converted("\n".join(map(json.dumps, WALKS)), "JSON lines")
        self.converted(json.dumps(WALKS, indent=2), "this is JSON,")
        self.converted(json.dumps([{"walk": walk} for walk in WALKS]), "this is JSON,")

    def test_tables(self):
        table = pandas.DataFrame({"nodes": WALKS, "text": [" ".join(map(str, walk)) for walk in WALKS]})
        file = scene.folder / "table"
        for word, write in (("Parquet", table.to_parquet), ("Arrow (Feather)", table.to_feather)):
            for column in ("nodes", "text"):
                write(file)
                self.converted(file.read_bytes(), word, column=column)
        arrow = pyarrow.Table.from_pandas(table)
        with pyarrow.ipc.new_stream(file, arrow.schema) as writer:
            writer.write_table(arrow)
        self.converted(file.read_bytes(), "Arrow stream", column="nodes")
        numpy.save(scene.folder / "walks.npy", [[0, 1, 2], [2, 1, 0]])
        self.converted((scene.folder / "walks.npy").read_bytes(), "NumPy", expected=[[0, 1, 2], [2, 1, 0]])
        self.refused(pickle.dumps(WALKS), "Python pickle", HEADER)
        numpy.savez(scene.folder / "walks.npz", numpy.zeros(3))
        self.refused((scene.folder / "walks.npz").read_bytes(), "zip archive", HEADER)

    def test_other_text(self):
        self.converted(self.CSV.replace(",", ";"), "semicolons")
        self.converted(self.CSV.replace(",", "\t"), "tabs")
        self.converted("\n".join(LINES), "the header is missing")
        self.converted(self.CSV.encode("utf-16"), "UTF-16")
        self.refused("id,nodes\n0,1 2\n", "the column walk_id is missing; there are id, nodes", "rename the columns")

    def test_edges(self):
        edges = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 0)]
        for text in ("# a graph\n" + "\n".join(f"{a}\t{b}" for a, b in edges), "\n".join(f"{a},{b}" for a, b in edges),
                     "source,target\n" + "\n".join(f"{a},{b}" for a, b in edges)):
            said = self.refused(text, "a list of edges", "01b_sequence_generation.sh")
            self.paste(said[said.index("python3 -c"):].split(" (before")[0])
            made = scene.run("01b_sequence_generation.sh", TOPOLOGY="mine", H=1, W=1, GRAPH_DIR=".", MAX_SEQS=3, MAX_LENGTH=6)
            self.assertIn("4 nodes, 5 directed edges", made.stdout, made.stderr)

    def test_what_is_no_file(self):
        done = scene.run("01c_dataset_preparation.sh", INPUT_CSV="no such.csv", DATASET_DIR="data")
        self.assertEqual(done.returncode, 1)
        self.assertIn("name a file of walks with INPUT_CSV", done.stderr)
        self.read("\n".join([HEADER, *LINES]))
        done = scene.run("01c_dataset_preparation.sh", INPUT_CSV="data", DATASET_DIR="other")
        self.assertEqual(done.returncode, 1)
        self.assertIn("a dataset folder already", done.stderr)
        self.assertIn("DATASET_DIR", done.stderr)


class VocabularyTest(ForeignWalksTest):
    def info(self):
        return json.loads((scene.folder / "data" / "vocab_info.json").read_text())

    def test_ids_that_never_occur_are_counted_named_and_numbered_away(self):
        said = self.read(f"{HEADER}\n0,4,0 1 2 1000000\n1,2,1 0\n", [[0, 1, 2, 1000000], [1, 0]])
        self.assertIn("Occurring IDs: 4, each 1 to 2 times (median 1.5)", said)
        self.assertIn("Never occurring: 999997 (3 to 999999)", said)
        self.assertIn("Warning: 999997 of 1000001 ids (100.0%) never occur", said)
        info = self.info()
        self.assertEqual((info["vocab_size"], info["ids_seen"], info["never_seen_ids"]), (1000001, 4, [[3, 999999]]))
        self.assertEqual(info["times_seen"], {"min": 1, "median": 1.5, "max": 2})
        self.paste(said[said.index("python3 -c"):].splitlines()[0])
        said = self.read((scene.folder / "OUT.csv").read_bytes(), [[0, 1, 2, 3], [1, 0]])
        self.assertNotIn("never", said.lower())
        self.assertEqual(self.info()["never_seen_ids"], [])
        self.assertEqual(json.loads((scene.folder / "OUT.csv.ids.json").read_text())["1000000"], 3)

    def test_a_few_are_named_without_a_warning(self):
        walk = [node for node in range(200) if node != 7]
        said = self.read(f"{HEADER}\n0,{len(walk)},{' '.join(map(str, walk))}\n", [walk])
        self.assertIn("Never occurring: 1 (7)", said)
        self.assertNotIn("Warning", said)

    def test_far_apart_ids(self):
        said = self.read(f"{HEADER}\n0,3,2147483646 5000000 5000000\n", [[2147483646, 5000000, 5000000]])
        self.assertIn("Occurring IDs: 2, each 1 to 2 times (median 1.5)", said)
        self.assertIn("Never occurring: 2147483645 (0 to 4999999, 5000001 to 2147483645)", said)

    def test_walks_of_a_single_token(self):
        said = self.read(f"{HEADER}\n0,1,1\n1,3,0 1 0\n2,1,0\n", [[1], [0, 1, 0], [0]])
        self.assertIn("Warning: 2 of 3 walks have a single token, in which nothing is predicted.", said)
        before = scene.files()
        self.refused(f"{HEADER}\n0,1,1\n1,1,0\n", "no walk to train on has a second token", "MAX_LENGTH")
        self.assertEqual({name: file for name, file in scene.files().items() if name.startswith("data/")},
                         {name: file for name, file in before.items() if name.startswith("data/")})


if __name__ == "__main__":
    unittest.main()
