"""strider graph --from: graphs that networkx and scipy write, in every kind of file; names, weights and directions through the
whole chain; what is refused."""
import gzip
import json
import os
import subprocess
import unittest

import networkx as nx
import numpy as np
import scipy.io
import scipy.sparse
from scene import TINY, Scene

PROGRAM = os.environ["STRIDER"]
NAMES = ["zoe", "ann", "Bob", "\u00e9va", "kim", "lee", "mia", "ned"]


def small_graph(directed, weighted):
    random = np.random.default_rng(5)
    graph = nx.DiGraph() if directed else nx.Graph()
    for i, name in enumerate(NAMES):
        for j in (1, 3):
            other = NAMES[(i + j) % len(NAMES)]
            if weighted:
                graph.add_edge(name, other, weight=round(float(random.uniform(0.5, 4)), 3))
            else:
                graph.add_edge(name, other)
    return graph


def in_order(graph):
    """Its matrix with nodes in the order that Strider gives them: that of their names' bytes."""
    return nx.to_scipy_sparse_array(graph, nodelist=sorted(graph, key=lambda name: str(name).encode()), format="csr")


class GraphFormatsTest(unittest.TestCase):
    def setUp(self):
        self.scene = Scene()
        self.addCleanup(self.scene.close)
        self.folder = self.scene.folder

    def call(self, source, *more, code=0, name="mine"):
        done = subprocess.run([PROGRAM, "graph", "--from", str(source), "--topology", name, "--H", "1", "--W", "8",
                               "--output_dir", "graph", *map(str, more)], cwd=self.folder, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def matrix(self):
        return scipy.sparse.load_npz(self.folder / "graph/graph_mine_1x8.npz")

    def same(self, graph):
        found, expected = self.matrix(), in_order(graph)
        self.assertEqual(found.format, "csr")
        np.testing.assert_array_equal(found.indptr, expected.indptr)
        np.testing.assert_array_equal(found.toarray(), expected.toarray())
        dense = np.load(self.folder / "graph/A_mine_1x8.npy")
        np.testing.assert_array_equal(dense, expected.toarray() != 0)
        names = json.loads((self.folder / "graph/vocab_mine_1x8.json").read_text())
        self.assertEqual(list(names), sorted(graph, key=lambda name: name.encode()))
        self.assertEqual(list(names.values()), list(range(len(names))))

    def write(self, name, text):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def test_edge_lists(self):
        for directed in (False, True):
            for weighted in (False, True):
                graph = small_graph(directed, weighted)
                edges = [(a, b, d.get("weight")) for a, b, d in graph.edges(data=True)]
                for separator in (" ", "\t", ",", ";"):
                    lines = [separator.join([a, b] + ([str(w)] if weighted else [])) for a, b, w in edges]
                    for head in ("# a comment\n", "\ufeff%\n\n",
                                 separator.join(["Source", "Target"] + ["Weight"] * weighted) + "\n"):
                        self.call(self.write("edges.txt", head + "\n".join(lines) + "\r\n"), "--directed", str(directed).lower())
                        self.same(graph)
        # A header says where the ends are; other columns are passed over, quotes taken off.
        graph = small_graph(True, True)
        rows = [f'{i},"{b}",{d["weight"]},"{a}","x, y"' for i, (a, b, d) in enumerate(graph.edges(data=True))]
        self.call(self.write("edges.csv", "id,to,w,from,note\n" + "\n".join(rows)), "--directed", "true")
        self.same(graph)

    def names(self):
        file = self.folder / "graph/vocab_mine_1x8.json"
        return list(json.loads(file.read_text())) if file.exists() else None

    def test_edge_lists_as_others_write_them(self):
        for text, names, weights, *said in (
                # KONECT puts tabs and spaces between numbers.
                ("% sym weighted\n1 2\t1\n2\t3 1.5\n", ["1", "2", "3"], {(0, 1): 1, (1, 2): 1.5}),
                # Names in a table with tabs may have spaces.
                ("the one\tthe other\nthe other\ta third\n", ["a third", "the one", "the other"], {(1, 2): 1, (0, 2): 1}),
                # Headers of SNAP's tables.
                ("id_1,id_2\n0,2\n1,2\n", None, {(0, 2): 1, (1, 2): 1}),
                ("FromNodeId\tToNodeId\n0\t2\n1\t2\n", None, {(0, 2): 1, (1, 2): 1}),
                # Quotes of R, and of a CSV with quotes in a name.
                ('"a" "b" 1\n"b" "c" 2\n', ["a", "b", "c"], {(0, 1): 1, (1, 2): 2}),
                ('"a";"b"\n"b";"c"\n', ["a", "b", "c"], {(0, 1): 1, (1, 2): 1}),
                ('"a ""x""",b\n', ['a "x"', "b"], {(0, 1): 1}),
                # A node may have a name that looks like a comment, or like an archive.
                ("source,target\na,b\n#c,a\nb,d\n", ["a", "b", "d"], {(0, 1): 1, (1, 2): 1}, "comments: 1 here, first line 3"),
                ("PK1 PK2\n", ["PK1", "PK2"], {(0, 1): 1}),
                # networkx.write_edgelist
                ("a b {}\nb c {}\n", ["a", "b", "c"], {(0, 1): 1, (1, 2): 1}),
                ("a b {'weight': 2.0, 'x': 'y'}\nb c {'weight': 1.5}\na c {}\n", ["a", "b", "c"],
                 {(0, 1): 2, (1, 2): 1.5, (0, 2): 1}, "with weights from 1 to 2"),
                ("%%matrixmarket MATRIX Coordinate Real Symmetric\n3 3 2\n2 1 1.5\n3 1 1\n", None, {(0, 1): 1.5, (0, 2): 1}),
                # Times, which only their size shows to be no weights.
                ("0 1 1254192988\n2 1 1457262355\n", None, {(0, 1): 1254192988, (1, 2): 1457262355},
                 "with weights from 1254192988 to 1457262355")):
            found = self.call(self.write("edges", text))
            self.assertEqual(self.names(), names, text)
            matrix = self.matrix().toarray()
            expected = np.zeros_like(matrix)
            for (a, b), weight in weights.items():
                expected[a, b] = expected[b, a] = weight
            np.testing.assert_array_equal(matrix, expected, text)
            for words in said:
                self.assertIn(words, found)

    def test_edge_list_of_networkx(self):
        graph = small_graph(False, True)
        nx.write_edgelist(graph, self.folder / "edges.txt")
        self.call("edges.txt")
        self.same(graph)

    def test_compressed(self):
        graph = small_graph(False, True)
        text = "\n".join(f"{a} {b} {d['weight']}" for a, b, d in graph.edges(data=True))
        self.call(self.write("edges.gz", gzip.compress(text.encode())))
        self.same(graph)
        self.assertIn("cannot be read to its end", self.call(self.write("torn.gz", gzip.compress(text.encode())[:-9]), code=1))

    def test_graphml(self):
        for directed in (False, True):
            for weighted in (False, True):
                graph = small_graph(directed, weighted)
                nx.write_graphml(graph, self.folder / "graph.graphml")
                said = self.call("graph.graphml")
                self.assertIn("edges go one way" if directed else "edges go both ways", said)
                self.same(graph)

    def test_matrices(self):
        for directed in (False, True):
            for weighted in (False, True):
                graph = nx.convert_node_labels_to_integers(small_graph(directed, weighted))
                matrix = nx.to_scipy_sparse_array(graph, nodelist=range(8), format="csr")
                files = []
                for kind in ("csr", "csc", "coo"):
                    for compressed in (False, True):
                        files.append(f"{kind}{compressed}.npz")
                        scipy.sparse.save_npz(self.folder / files[-1], getattr(matrix, f"to{kind}")(), compressed=compressed)
                for dtype in (float, np.float32, np.int64, np.int32) if not weighted else (float,):
                    files.append(f"{np.dtype(dtype)}.npy")
                    np.save(self.folder / files[-1], np.asfortranarray(matrix.toarray().astype(dtype)))
                if not weighted:
                    files.append("bool.npy")
                    np.save(self.folder / "bool.npy", matrix.toarray() != 0)
                scipy.io.mmwrite(self.folder / "matrix.mtx", matrix, symmetry="general" if directed else "symmetric",
                                 field="real" if weighted else "pattern")
                files.append("matrix.mtx")
                for file in files:
                    said = self.call(file)
                    np.testing.assert_array_equal(self.matrix().toarray(), matrix.toarray(), file)
                    self.assertIn("edges go one way" if directed else "edges go both ways", said, file)
                    self.assertFalse((self.folder / "graph/vocab_mine_1x8.json").exists())

    def test_whole_numbers_are_numbered_by_size(self):
        self.call(self.write("edges", "10 9\n9 100\n100 10\n"))
        self.assertEqual(json.loads((self.folder / "graph/vocab_mine_1x8.json").read_text()), {"9": 0, "10": 1, "100": 2})

    def test_through_the_chain(self):
        """Names, weights and directions, and the best loss that they leave."""
        graph = small_graph(True, True)
        lines = "".join(f"{a},{b},{d['weight']}\n" for a, b, d in graph.edges(data=True))
        self.write("graph.csv", "source,target,weight\n" + lines)
        settings = TINY | dict(TOPOLOGY="people", H=1, W=8, NO_REPEAT_WINDOW=2, MAX_STEPS=200, START="uniform")
        self.scene.must("01a_graph_generation.sh", **settings, GRAPH_FROM="graph.csv", DIRECTED="true")
        said = self.scene.must("01b_sequence_generation.sh", **settings)
        self.assertIn("Edges have weights, which walks follow.", said)
        self.scene.must("01c_dataset_preparation.sh", **settings)
        base = self.folder / "results/people_1x8"
        rule = json.loads((base / "sequences/walk_rule_people_1x8.json").read_text())
        names = sorted(NAMES, key=lambda name: name.encode())
        self.assertEqual((rule["names"], rule["start"]), (names, "uniform"))
        weights = in_order(graph).toarray()
        walks = [[int(word) for word in line.split(",")[2].split()]
                 for line in (base / "sequences/walks_people_1x8.csv").read_text().splitlines()[1:]]
        steps = [(a, b) for walk in walks for a, b in zip(walk, walk[1:])]
        self.assertTrue(all(weights[a, b] > 0 for a, b in steps))
        info = json.loads((base / "dataset/vocab_info.json").read_text())
        from datasets import load_from_disk
        losses = []
        for ids in load_from_disk(str(base / "dataset"))["validation"]["input_ids"]:
            for p in range(len(ids) - 1):
                free = [n for n in np.flatnonzero(weights[ids[p]]) if n not in ids[max(0, p - 1):p + 1]]
                free = free or list(np.flatnonzero(weights[ids[p]]))
                losses.append(-np.log(weights[ids[p], ids[p + 1]] / weights[ids[p], free].sum()))
        self.assertAlmostEqual(info["best_loss"], np.mean(losses), delta=1e-9)
        said = self.scene.must("02a_model_training.sh", **settings)
        over = float(said.split("Evaluation loss of the final model: ")[1].split("+")[1].split(" ")[0])
        self.assertLess(over, 0.1)  # a model of 200 steps knows the weights
        said = self.scene.must("02b_representation_extraction.sh", **settings)
        tokens = json.loads((base / "tiny/token_representations/token_metadata.json").read_text())
        self.assertEqual([token["token_str"] for token in tokens], names)
        page = (base / "tiny/report.html").read_text()
        data = json.loads(page.split('<script type="application/json" id="data">')[1].split("</script>")[0])
        self.assertEqual(data["runs"][0]["surface"]["names"], names)

    def test_walks_without_a_matrix_file(self):
        """What a graph too large for one has: graph_{name}.npz alone."""
        self.call(self.write("edges", "".join(f"{i} {(i + d) % 20}\n" for i in range(20) for d in (1, 2, 5))))
        for file in ("A_mine_1x8_labeled.csv", "A_mine_1x8.npy"):
            (self.folder / "graph" / file).unlink()
        for start in ("visits", "visits-tree", "uniform", "degree"):
            done = subprocess.run([PROGRAM, "walks", "--graph_dir", "graph", "--topology", "mine", "--H", "1", "--W", "8",
                                   "--max_seqs", "50", "--out", "walks.csv", "--start", start, "--overwrite"],
                                  cwd=self.folder, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("Jumps: 0 of", done.stdout)

    def test_two_graphs_of_one_name_are_refused(self):
        self.call(self.write("edges", "0 1\n1 2\n"))
        (self.folder / "graph/A_mine_1x8_labeled.csv").write_text(",0,1,2\n0,0,1,1\n1,1,0,1\n2,1,1,0\n")
        done = subprocess.run([PROGRAM, "walks", "--graph_dir", "graph", "--topology", "mine", "--H", "1", "--W", "8",
                               "--max_seqs", "5", "--out", "walks.csv"], cwd=self.folder, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("two graphs of this name, with other edges: graph_mine_1x8.npz and A_mine_1x8_labeled.csv", done.stderr)
        self.assertFalse((self.folder / "walks.csv").exists())

    def test_a_setting_of_surfaces_is_refused(self):
        self.write("edges", "0 1\n1 2\n")
        done = self.scene.run("01a_graph_generation.sh", TOPOLOGY="mine", H=1, W=3, GRAPH_FROM="edges", NEIGH=4)
        self.assertEqual(done.returncode, 1)
        self.assertIn("NEIGH is of surfaces", done.stderr)

    def test_what_is_refused(self):
        graphml = '<graphml><graph edgedefault="undirected"><node id="a"/><node id="b"/>{}</graph></graphml>'
        market = "%%MatrixMarket matrix coordinate {} general\n{}\n"
        for name, text, *words in (
                ("a", "1 2\n3\n", "line 2", '1 field where the lines before have 2: "3"'),
                ("b", "# c\n1 2 x\n", "line 2", '"x" is no weight, in "1 2 x"'),
                ("c", "1 2 0.5\n2 3 -1\n", "line 2", '"-1" is no weight'),
                ("d", "1 2 nan\n", "line 1", '"nan" is no weight'),
                ("e", "a,b\n,c\n", "line 2", "an edge without both its nodes"),
                ("f", "7 8\n07 9\n", 'the names "07" and "7" are the same number'),
                ("g", "", "there is no edge in it"),
                ("h", "# nothing\n", "there is no edge in it"),
                ("i", "1 2\n\x00\n", "this is no text"),
                ("j", market.format("real", "2 3 1\n1 1 1"), "a matrix of 2 rows and 3 columns is no graph"),
                ("k", market.format("real", "2 2 1\n1 3 1"), "line 3", "outside of a matrix of 2 rows"),
                ("l", market.format("real", "2 2 2\n1 2 1"), "1 of 2 entries"),
                ("m", market.format("complex", "2 2 1\n1 2 1 1"), "entries of the kind complex"),
                ("n", market.format("integer", "2 2 1\n1 2 -4"), '"-4" is no weight'),
                ("o", graphml.format('<edge source="a" target="c"/>'), "has an end that is no node", "line 1"),
                ("p", graphml.format('<edge source="a"/>'), "without source and target"),
                ("q", graphml.format("") + "<", "This is no XML"),
                ("r", graphml.format(""), "there is no edge in it"),
                ("t", "Alpha,Beta\n10,11\n11,12\n", "line 1", "no numbers, and all others are", "source and target"),
                ("u", "Alpha,Beta,Gamma\n10,11,1\n", "line 1", '"Gamma" is no weight', "source and target"),
                ("v", market.format("real", "3 3 2\n1 2 1\n2 3 0,5"), "line 4", '"0,5" is no weight'),
                ("w", "a b 1e308\na b 1e308\na c 1\n", "add up to more than a number can be"),
                ("x", b"caf\xe9 b\n", "is not UTF-8"),
                ("s", graphml.format('<edge source="a" target="b" directed="true"/>'), "that is directed in a graph of undirected")):
            before = self.scene.files()
            self.write(name, text)
            said = self.call(name, code=1)
            for word in (name, *words):
                self.assertIn(word, said)
            (self.folder / name).unlink()
            self.assertEqual(self.scene.files(), before)
        np.save(self.folder / "wide.npy", np.ones((2, 3)))
        self.assertIn("shape [2, 3] is no graph", self.call("wide.npy", code=1))
        np.save(self.folder / "negative.npy", np.array([[0, -1], [1, 0]]))
        self.assertIn("row 0, column 1", self.call("negative.npy", code=1))
        np.savez(self.folder / "other.npz", a=np.ones(3))
        self.assertIn('no array "format"', self.call("other.npz", code=1))
        self.assertIn("no such file", self.call("nowhere", code=1))
        self.assertIn("name of a surface", self.call("wide.npy", name="torus", code=1))
        for name in ("all", "a,b", "a/b"):
            self.assertIn("is no name for a graph", self.call("wide.npy", name=name, code=1))


if __name__ == "__main__":
    unittest.main()
