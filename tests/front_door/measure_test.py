"""strider measure against numpy: every measure by its definition, in float64."""
import json
import os
import subprocess
import unittest

import numpy as np
from scene import TINY, Scene

PROGRAM = os.environ["STRIDER"]
NEAREST = 8
SURFACES = {"klein_x": (15, 18), "torus": (4, 5), "sphere": (5, 6)}  # above and below what the dense solver takes


def average_ranks(values):
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def shortest_paths(lengths):
    """Floyd and Warshall."""
    paths = lengths.copy()
    np.fill_diagonal(paths, 0)
    for k in range(len(paths)):
        paths = np.minimum(paths, paths[:, k:k + 1] + paths[k:k + 1])
    return paths


def laplacian_modes(adjacency):
    values, vectors = np.linalg.eigh(np.diag(adjacency.sum(0)) - adjacency)
    end = 9
    while values[end] - values[end - 1] < 1e-6 * values[end]:
        end += 1
    return values[1:end], vectors[:, 1:end]


def probe(x, y):
    order, predicted = np.random.default_rng(42).permutation(len(x)), np.empty_like(y)
    for fold in range(5):
        held = order[fold::5]
        others = np.setdiff1d(order, held)
        a, b = x[others] - x[others].mean(0), y[others] - y[others].mean(0)
        penalty = np.trace(a.T @ a) / a.size
        weights = np.linalg.solve(a.T @ a + penalty * np.eye(x.shape[1]), a.T @ b)
        predicted[held] = (x[held] - x[others].mean(0)) @ weights + y[others].mean(0)
    return 1 - ((y - predicted) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0)


def measures(adjacency, coordinates, x):
    n, x = len(x), x.astype(np.float64)
    hops = shortest_paths(np.where(adjacency > 0, 1.0, np.inf))
    pairs = np.triu_indices(n, 1)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    near = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]
    shares = [np.mean([np.isin(near[i], np.flatnonzero((hops[i] > 0) & (hops[i] <= steps))).sum() /
                       min(NEAREST, ((hops[i] > 0) & (hops[i] <= steps)).sum()) for i in range(n)]) for steps in (1, 2)]
    lengths = np.full((n, n), np.inf)
    for i in range(n):
        lengths[i, near[i]] = lengths[near[i], i] = np.sqrt(2 - 2 * cosines[i, near[i]])
    geodesics = shortest_paths(lengths)[pairs]
    connected = np.isfinite(geodesics)
    centred = x - x.mean(0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    points = left[:, :3] * singular[:3]
    apart = np.linalg.norm(points[pairs[0]] - points[pairs[1]], axis=1)
    values, modes = laplacian_modes(adjacency)
    m, variances = len(values), singular ** 2
    edges = np.argwhere(np.triu(adjacency))
    squared = ((x[:, None] - x[None]) ** 2).sum(2)
    energy = squared[edges[:, 0], edges[:, 1]].sum()
    r2 = probe(centred, coordinates)
    return dict(
        neighbours=shares[0], within_two=shares[1], geodesic_pairs=connected.mean(),
        geodesic_correlation=np.corrcoef(hops[pairs][connected], geodesics[connected])[0, 1],
        component_correlation=np.corrcoef(hops[pairs], apart)[0, 1],
        rsa=np.corrcoef(average_ranks(hops[pairs]), average_ranks(-cosines[pairs]))[0, 1],
        dirichlet_energy=energy, dirichlet_ratio=energy / len(edges) / squared[pairs].mean(),
        laplacian_alignment=((modes.T @ left[:, :m]) ** 2).sum() / m,
        laplacian_variance=((modes.T @ centred) ** 2).sum() / (centred ** 2).sum(),
        probe_r2=r2.mean(), probe_r2_by_coordinate=r2,
        effective_dimension=variances.sum() ** 2 / (variances ** 2).sum())


def call(*arguments):
    return subprocess.run([PROGRAM, "measure", *map(str, arguments)], cwd=scene.folder, capture_output=True, text=True,
                          timeout=120)


def setUpModule():
    global scene
    scene = Scene()
    for surface, (height, width) in SURFACES.items():
        scene.must("01a_graph_generation.sh", TOPOLOGY=surface, H=height, W=width)


def tearDownModule():
    scene.close()


def write_representations(surface, arrays):
    name = "{}_{}x{}".format(surface, *SURFACES[surface])
    folder = scene.folder / "results" / name / "run" / "token_representations"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "token_representations.npz", **arrays)
    graph = scene.folder / "results" / name / "graph"
    return folder, np.load(graph / f"A_{name}.npy").astype(float), np.load(graph / f"coords_{name}.npy"), graph


class MeasureTest(unittest.TestCase):
    def compare(self, surface, tokens=None):
        height, width = SURFACES[surface]
        random = np.random.default_rng(7)
        _, adjacency, coordinates, graph = write_representations(surface, {})
        nodes = len(adjacency)
        tokens = np.arange(nodes) if tokens is None else tokens
        smooth = coordinates @ random.normal(size=(3, 24))
        arrays = {"input_embeds": random.normal(size=(nodes, 24))}
        for layer in range(2):
            arrays[f"layer_{layer}_after_block"] = smooth + (0.2 + layer) * random.normal(size=(nodes, 24)) + 1
            arrays[f"layer_{layer}_ffn_up"] = random.normal(size=(nodes, nodes + 20))  # wider than it is long
        rows = {name: np.ones((max(tokens) + 1, values.shape[1]), np.float32) for name, values in arrays.items()}
        for name, values in arrays.items():
            rows[name][tokens] = values
        folder = write_representations(surface, rows)[0]
        done = call(folder, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(done.stdout, (folder / "geometry.json").read_text())
        self.assertEqual((found["nodes"], found["edges"]), (nodes, adjacency.sum() / 2))
        values = laplacian_modes(adjacency)[0]
        np.testing.assert_allclose(found["laplacian_eigenvalues"], values, rtol=1e-8)
        self.assertEqual([layer["array"] for layer in found["layers"]],
                         ["input_embeds", "layer_0_after_block", "layer_1_after_block", "layer_0_ffn_up", "layer_1_ffn_up"])
        for layer in found["layers"]:
            expected = measures(adjacency, coordinates, rows[layer["array"]][tokens])
            for measure, value in expected.items():
                np.testing.assert_allclose(layer[measure], value, rtol=1e-6, atol=1e-6,
                                           err_msg=f"{surface} {layer['array']} {measure}")
        for threads in (1, 3):
            self.assertEqual(call(folder, "--json", "--threads", threads).stdout, done.stdout)

    def test_a_graph_for_the_sparse_solver(self):
        self.compare("klein_x")

    def test_a_graph_for_the_dense_solver(self):
        self.compare("torus")

    def test_token_ids_with_gaps(self):
        height, width = SURFACES["sphere"]
        info = json.loads((scene.folder / f"results/sphere_{height}x{width}/graph/graph_info_sphere_{height}x{width}.json")
                          .read_text())
        self.assertNotEqual(info["token_id"], list(range(info["num_nodes"])))
        self.compare("sphere", np.array(info["token_id"]))

    def test_what_is_by_chance(self):
        """Measures of vectors that have nothing to do with the graph are near what the report says of them."""
        random = np.random.default_rng(1)
        folder = write_representations("klein_x", {"noise": random.normal(size=(270, 200)).astype(np.float32)})[0]
        found = json.loads(call(folder, "--json").stdout)
        for measure, value in found["chance"].items():
            self.assertAlmostEqual(found["layers"][0][measure], value, delta=0.02, msg=measure)

    def test_of_a_run(self):
        scene.make_dataset()
        scene.must("02a_model_training.sh", **(TINY | dict(MAX_STEPS=4, EVAL_STEPS=4, SAVE_STEPS=4)))
        scene.must("02b_representation_extraction.sh", **TINY)
        done = call("results/torus_4x5/tiny")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertIn("(20 nodes, 80 edges)", lines[1])
        table = [line.split() for line in lines[4:8]]
        self.assertEqual([row[0] for row in table],
                         ["input_embeds", "layer_0_after_block", "layer_1_after_block", "final_hidden"])
        file = scene.folder / "results/torus_4x5/tiny/token_representations/geometry.json"
        for row, layer in zip(table, json.loads(file.read_text())["layers"]):
            self.assertEqual(row[1], f"{layer['neighbours']:.3f}")
            self.assertEqual(row[8], f"{layer['probe_r2']:.3f}")

    def test_on_a_gpu_or_not(self):
        """What --device says and does on the machine that tests it, which as a rule has no GPU."""
        rows = np.random.default_rng(2).normal(size=(20, 9)).astype(np.float32)
        folder = write_representations("torus", {"a": rows})[0]
        on_cpu = json.loads(call(folder, "--json").stdout)
        done = call(folder, "--device", "auto")
        self.assertIn("DEVICE=auto: ", done.stdout)
        found = json.loads((folder / "geometry.json").read_text())
        for measure, value in on_cpu["layers"][0].items():
            if isinstance(value, float):
                self.assertAlmostEqual(found["layers"][0][measure], value, places=9, msg=measure)
        (folder / "geometry.json").unlink()
        done = call(folder, "--device", "cuda")
        if "on the GPU" in done.stdout:
            self.assertEqual(done.returncode, 0)
            return
        self.assertEqual(done.returncode, 1)
        self.assertIn("DEVICE=cuda (--device) asks for the GPU, and ", done.stderr)
        self.assertIn("DEVICE=auto or cpu measures on the CPU.", done.stderr)
        self.assertFalse((folder / "geometry.json").exists())

    def refused(self, *arguments):
        done = call(*arguments)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_bad_input(self):
        good = np.random.default_rng(3).normal(size=(20, 6)).astype(np.float32)
        folder = write_representations("torus", {"a": good})[0]
        self.assertIn("no token representations", self.refused("results"))
        self.assertIn("no such file", self.refused("nowhere"))
        self.assertIn("node 20 has no row", self.refused(folder, "--graph_dir", "results/sphere_5x6/graph"))
        self.assertIn("--nearest", self.refused(folder, "--nearest", "0"))
        for change, message in ((good * np.inf, "not finite"), (good * 0, "zeros"), (good * 0 + 1, "every token"),
                                (good.astype(np.float64), "<f8"), (good[0], "shape [6]"), (good[:19], "node 19 has no row")):
            write_representations("torus", {"a": change})
            before = scene.files()
            self.assertIn(message, self.refused(folder))
            self.assertEqual(scene.files(), before)
        write_representations("torus", {"a": good})
        done = call(folder, "--output", folder / "token_representations.npz" / "x.json")
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
