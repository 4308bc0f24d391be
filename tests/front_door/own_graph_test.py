"""A graph of the user's own, with dead ends and edges that go one way: 01b says so and counts the jumps of its walks."""
import csv
import io
import re
import unittest

import numpy
import pandas

from scene import Scene

OWN = dict(TOPOLOGY="mine", H=1, W=1, GRAPH_DIR="own graph", MAX_SEQS=100, MAX_LENGTH=20, NO_REPEAT_WINDOW=2)


class OwnGraphTest(unittest.TestCase):
    def setUp(self):
        self.scene = Scene()
        self.addCleanup(self.scene.close)
        (self.scene.folder / "own graph").mkdir()

    def walk(self, adjacency, labels, **variables):
        frame = pandas.DataFrame(adjacency, index=labels, columns=labels)
        frame.to_csv(self.scene.folder / "own graph" / "A_mine_1x1_labeled.csv")
        return self.scene.run("01b_sequence_generation.sh", **(OWN | variables))

    def walks(self):
        text = (self.scene.folder / "results/mine_1x1/sequences/walks_mine_1x1.csv").read_text()
        return [[int(word) for word in row["sequence_labels"].split()] for row in csv.DictReader(io.StringIO(text))]

    def test_what_a_directed_graph_is_like_and_how_often_walks_jump(self):
        draw = numpy.random.default_rng(7)
        adjacency = (draw.random((30, 30)) < 0.06).astype(int)
        adjacency[3] = adjacency[:, 3] = 0  # isolated
        adjacency[5] = 0
        adjacency[4, 5] = 1  # a sink
        adjacency[6, 6] = 1  # a self-loop
        off = adjacency * (1 - numpy.eye(30, dtype=int))
        for dtype in (int, float, bool):  # as pandas writes them
            for restart in (0, 0.2):
                done = self.walk(adjacency.astype(dtype), range(30), RESTART_PROB=restart, OVERWRITE="true")
                self.assertEqual(done.returncode, 0, done.stderr)
                one_way = int((off > off.T).sum())
                sinks = int(((off.sum(axis=1) == 0) & (off.sum(axis=0) > 0)).sum())
                isolated = int(((off.sum(axis=1) == 0) & (off.sum(axis=0) == 0)).sum())
                self.assertIn(f"Graph loaded: 30 nodes, {adjacency.sum()} directed edges\n", done.stdout)
                self.assertIn(f"not symmetric: {one_way} of {adjacency.sum()} edges go one way only", done.stdout)
                self.assertIn(f"Self-loops: {int(adjacency.trace())} edges", done.stdout)
                self.assertIn(f"Sinks: {sinks} node", done.stdout)
                self.assertIn(f"Isolated: {isolated} node", done.stdout)
                jumps = sum(not adjacency[a, b] for walk in self.walks() for a, b in zip(walk, walk[1:]))
                self.assertGreater(jumps, 0)
                self.assertIn(f"Jumps: {jumps} of 1900 steps from node to node follow no edge (", done.stdout)

    def test_of_a_symmetric_graph_every_edge_counts_once(self):
        ring = numpy.roll(numpy.eye(6, dtype=int), 1, axis=1)
        done = self.walk(ring + ring.T, range(6))
        self.assertIn("Graph loaded: 6 nodes, 6 edges\n\n", done.stdout)
        self.assertIn("Jumps: 0 of 1900 steps", done.stdout)
        self.assertNotRegex(done.stdout, re.compile("sink|isolated|symmetric|self-loop", re.IGNORECASE))

    def test_weights_are_refused_with_their_place(self):
        ring = numpy.roll(numpy.eye(6), 1, axis=1)
        done = self.walk((ring + ring.T) * 0.5, range(6))
        self.assertEqual(done.returncode, 1)
        self.assertIn("'0.5' where a 0 or a 1 is expected", done.stderr)
        self.assertIn("line 2, column 3", done.stderr)
        self.assertIn("weights are not read", done.stderr)


if __name__ == "__main__":
    unittest.main()
