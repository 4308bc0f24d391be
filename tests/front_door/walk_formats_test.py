"""01c makes datasets from walks in the files that people have: plain text, CSV, JSON lines, Parquet, compressed or not,
with names for nodes. The names stay with the model and its representations."""
import csv
import gzip
import json
import unittest

import pandas
import pyarrow
import pyarrow.parquet

from scene import TINY, Scene

WALKS = [["Oslo", "Bergen", "Oslo"], ["Trondheim", "Oslo"], ["Bergen", "Ålesund", "Bergen", "Oslo"], ["Oslo", "Trondheim"]]
NAMES = sorted({name for walk in WALKS for name in walk}, key=str.encode)
IDS = [[NAMES.index(name) for name in walk] for walk in WALKS]
NUMBERS = [[3, 0, 2], [1, 0], [2, 3, 2, 1]]  # 0 to 3
FAR = [[300, 7, 20], [1000000, 7], [20, 300, 20, 1000000]]  # by size 7, 20, 300, 1000000
FAR_IDS = [[2, 0, 1], [3, 0], [1, 2, 1, 3]]


def lines(walks, separator=" "):
    return "\n".join(separator.join(map(str, walk)) for walk in walks) + "\n"


class WalkFormatsTest(unittest.TestCase):
    def setUp(self):
        self.scene = Scene()
        self.addCleanup(self.scene.close)

    def prepare(self, name, data, **variables):
        if data is not None:
            (self.scene.folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return self.scene.run("01c_dataset_preparation.sh", FROM=name, DATASET_DIR="data", TRAIN_SPLIT=1, **variables)

    def read(self, name, data, expected, names, kind, **variables):
        done = self.prepare(name, data, **variables)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"Kind: {kind}", done.stdout)
        folder = self.scene.folder / "data"
        table = pyarrow.ipc.open_stream(pyarrow.memory_map(str(folder / "train/data-00000-of-00001.arrow"))).read_all()
        self.assertEqual(table["input_ids"].to_pylist(), expected)
        if names is None:
            self.assertFalse((folder / "vocab.json").exists())
        else:
            self.assertEqual(json.loads((folder / "vocab.json").read_text()), {name: i for i, name in enumerate(names)})
        self.assertEqual([path.name for path in self.scene.folder.glob(".walks*")], [])
        return done.stdout

    def refused(self, name, data, *words, **variables):
        before = self.scene.files()
        done = self.prepare(name, data, **variables)
        self.assertEqual(done.returncode, 1, done.stdout)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(set(self.scene.files()) - set(before), {name} if data is not None and name not in before else set())

    def test_plain_text(self):
        self.read("names.txt", "# a corpus\n\n" + lines(WALKS), IDS, NAMES, "plain text")
        self.read("tabs", lines(WALKS, "\t").replace("\n", "\r\n"), IDS, NAMES, "plain text")
        self.read("commas", lines(NUMBERS, ", "), NUMBERS, None, "plain text")
        self.read("far", lines(FAR)[:-1], FAR_IDS, ["7", "20", "300", "1000000"], "plain text")
        self.read("mixed", "a 1\n1 b\n", [[1, 0], [0, 2]], ["1", "a", "b"], "plain text")

    def test_compressed(self):
        text = lines(WALKS).encode()
        self.read("walks.txt.gz", gzip.compress(text), IDS, NAMES, "plain text")
        self.read("two members", gzip.compress(lines(WALKS[:2]).encode()) + gzip.compress(lines(WALKS[2:]).encode()), IDS,
                  NAMES, "plain text")
        zstd = pyarrow.compress(text, codec="zstd", asbytes=True)
        self.read("walks.txt.zst", zstd, IDS, NAMES, "plain text")
        jsonl = "".join(json.dumps({"walk": walk}) + "\n" for walk in WALKS).encode()
        self.read("walks.jsonl.gz", gzip.compress(jsonl), IDS, NAMES, "JSON lines, walks in walk")
        self.refused("cut.gz", gzip.compress(text * 1000)[:-20], "cut.gz", "damaged or cut off")

    def test_csv(self):
        frame = pandas.DataFrame({"id": range(4), "walk": [" ".join(walk) for walk in WALKS]})
        self.read("a.csv", frame.to_csv(index=False), IDS, NAMES, "CSV, walks in walk")
        self.read("a.csv", frame.rename(columns={"walk": "trip"}).to_csv(index=False), IDS, NAMES, "CSV, walks in trip",
                  COLUMN="trip")
        lists = pandas.DataFrame({"id": range(4), "walk": WALKS})  # as pandas prints lists: "['Oslo', 'Bergen']"
        self.read("a.csv", lists.to_csv(index=False, quoting=csv.QUOTE_ALL), IDS, NAMES, "CSV, walks in walk")
        self.read("a.csv.gz", gzip.compress(frame.to_csv(index=False).encode()), IDS, NAMES, "CSV, walks in walk")
        self.refused("b.csv", "id,trip\n0,a b\n", "which column has the walks is not known; there are id, trip", "--column")
        self.refused("b.csv", "id,trip\n0,a b\n", "there is no column trap; there are id, trip", COLUMN="trap")
        self.refused("b.csv", "id,walk\n0,a b\n1,a b,c\n", "3 fields where the header has 2", "line 3", "1,a b,c")

    def test_json_lines(self):
        for walks, ids, names in ((WALKS, IDS, NAMES), (NUMBERS, NUMBERS, None), (FAR, FAR_IDS, ["7", "20", "300", "1000000"])):
            self.read("a", "".join(json.dumps({"id": 7, "path": walk}) + "\n" for walk in walks), ids, names,
                      "JSON lines, walks in path")
            self.read("a", "".join(json.dumps(walk) + "\n" for walk in walks), ids, names, "JSON lines\n")
            self.read("a", "".join(json.dumps({"text": " ".join(map(str, walk))}) + "\n" for walk in walks), ids, names,
                      "JSON lines, walks in text")
        self.refused("b", '{"walk": ["a", "b"]}\n{"walk": 7}\n', "7 is neither a list of tokens nor a text", "line 2")
        self.refused("b", '{"walk": ["a", "b"]}\n{"walk": [null]}\n', "null is no token", "line 2")
        self.refused("b", '{"walk": ["a", "b"]}\n{"walk": ["a",\n', "this is no JSON", "line 2")
        self.refused("b", '{"walk": ["a", "b"]}\n{"other": []}\n', "there is no field walk", "line 2")

    def test_parquet(self):
        for walks, ids, names in ((WALKS, IDS, NAMES), (NUMBERS, NUMBERS, None), (FAR, FAR_IDS, ["7", "20", "300", "1000000"])):
            for column in (walks, [" ".join(map(str, walk)) for walk in walks]):
                pyarrow.parquet.write_table(pyarrow.table({"id": range(len(walks)), "nodes": column}),
                                            self.scene.folder / "a.parquet", compression="zstd", row_group_size=2)
                self.read("a.parquet", None, ids, names, "Parquet, walks in nodes")
        self.refused("a.parquet", None, "there is no column no; there are id, nodes", COLUMN="no")
        self.refused("a.parquet", None, "the column id has no walk here", "row 0", COLUMN="id")
        whole = (self.scene.folder / "a.parquet").read_bytes()
        self.refused("cut.parquet", whole[:-30], "cut.parquet")

    def test_what_is_refused(self):
        self.refused("a", "7 8\n07 9\n", 'the names "07" and "7" are the same number')
        self.refused("a", "# nothing\n\n", "there is no walk")
        self.refused("a", b"a b\n\x00\x01\x02 c\n", "this is no text", "line 2")
        self.refused("no such", None, "FROM is not found")
        done = self.prepare("a", "a b\n", INPUT_CSV="a")
        self.assertEqual(done.returncode, 1)
        self.assertIn("INPUT_CSV and FROM both name walks", done.stderr)

    def test_the_names_stay_with_the_model(self):
        edges = ["n%d" % (i * 37 % 100) for i in range(8)]
        walks = [[edges[(start + step) % 8] for step in range(12)] for start in range(8)] * 20
        (self.scene.folder / "corpus.txt").write_text(lines(walks))
        self.scene.must("01c_dataset_preparation.sh", H=4, W=5, FROM="corpus.txt")
        self.scene.must("02a_model_training.sh", **(TINY | dict(MAX_STEPS=5)))
        self.scene.must("02b_representation_extraction.sh", **TINY)
        folder = self.scene.folder / "results/torus_4x5/tiny"
        names = sorted(edges, key=str.encode)
        self.assertEqual(json.loads((folder / "final_model/vocab.json").read_text()), {n: i for i, n in enumerate(names)})
        metadata = json.loads((folder / "token_representations/token_metadata.json").read_text())
        self.assertIn(names[3], json.dumps(metadata))
        # The same dataset is replaced by the next one, vocabulary and all.
        self.scene.must("01c_dataset_preparation.sh", H=4, W=5, FROM="corpus.txt")


if __name__ == "__main__":
    unittest.main()
