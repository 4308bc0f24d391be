#!/usr/bin/env python3
"""Draws a finished run: its losses beside the best possible one, and how far apart tokens' vectors are, by their distance
on the graph.

Usage: draw_run.py results/DATASET_NAME results/DATASET_NAME/RUN_NAME OUT.svg     (needs numpy and matplotlib)
"""
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy


def load_run(data, run):
    """What is drawn. Row i of `steps` and of every layer is the token tokens[i]: not every row of the representations is a
    node of the graph, since the ids of a sphere leave gaps."""
    data, run = Path(data), Path(run)
    log = json.loads((run / "trainer_state.json").read_text())["log_history"]
    graph = json.loads(next((data / "graph").glob("graph_info_*.json")).read_text())
    if graph["files"]["distance_matrix"] is None:
        raise SystemExit("this graph is so large that it has no distance matrix")
    tokens = graph.get("token_id", list(range(graph["num_nodes"])))
    steps = numpy.load(data / "graph" / graph["files"]["distance_matrix"])
    representations = run / "token_representations"
    row_of = {entry["token_id"]: row for row, entry in enumerate(json.loads((representations / "token_metadata.json").read_text()))}
    known = [i for i, token in enumerate(tokens) if token in row_of]  # a node above all that walks came to has no row
    rows = [row_of[tokens[i]] for i in known]
    arrays = numpy.load(representations / "token_representations.npz")
    count = sum(name.endswith("_after_block") for name in arrays.files)
    degrees = {int(degree) for degree in numpy.load(data / "graph" / graph["files"]["adjacency_matrix_npy"]).sum(axis=1)}
    return SimpleNamespace(
        training=[(entry["step"], entry["loss"]) for entry in log if "loss" in entry],
        evaluated=[(entry["step"], entry["eval_loss"]) for entry in log if "eval_loss" in entry],
        best_loss=json.loads((data / "dataset" / "vocab_info.json").read_text()).get("best_loss"),
        neighbours=degrees.pop() if len(degrees) == 1 else None,  # of every node, where all have as many
        tokens=[tokens[i] for i in known],
        steps=steps[numpy.ix_(known, known)],
        layers=[arrays[f"layer_{i}_after_block"][rows] for i in range(count)])


def mean_distances(vectors, steps):
    """How far apart the vectors of tokens are that are 1, 2, ... steps apart; the mean over all pairs is 1."""
    vectors = vectors.astype(float)
    apart = numpy.sqrt(((vectors[:, None] - vectors[None]) ** 2).sum(axis=-1))
    apart /= apart[steps > 0].mean()
    far = numpy.arange(1, int(numpy.nanmax(steps)) + 1)
    return far, [apart[steps == k].mean() for k in far]


def draw_losses(axes, run):
    axes.plot(*zip(*run.training), lw=1, label="training")
    lowest = min(loss for _, loss in run.training)
    if run.evaluated:
        axes.plot(*zip(*run.evaluated), "o", ms=4, label=f"validation (at the end {run.evaluated[-1][1]:.3f})")
    if run.neighbours:
        known = math.log(run.neighbours)
        axes.axhline(known, color="0.6", lw=1, ls=":", label=f"knows the graph alone: ln {run.neighbours} = {known:.3f}")
    if run.best_loss is not None:
        lowest = run.best_loss
        axes.axhline(run.best_loss, color="0.2", lw=1, ls="--", label=f"best possible: {run.best_loss:.3f}")
    axes.set(xlabel="step", ylabel="loss (nats a predicted token)", ylim=(lowest - 0.1, run.training[0][1] + 0.1))
    axes.legend(frameon=False)


def draw_distances(axes, run, colours):
    for i, vectors in enumerate(run.layers):
        axes.plot(*mean_distances(vectors, run.steps), "o-", ms=3, lw=1, label=f"layer {i}", color=colours(i / len(run.layers)))
    axes.set(xlabel="steps between two tokens on the graph", ylabel="distance of their vectors (mean: 1)")
    axes.legend(frameon=False, title="after_block")


def main():
    import matplotlib  # here, so that what is drawn can be looked at without it

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "strider", "font.size": 9})
    import matplotlib.pyplot as plt  # after the choice of backend

    data, run, out = sys.argv[1:]
    loaded = load_run(data, run)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    draw_losses(axes[0], loaded)
    draw_distances(axes[1], loaded, plt.get_cmap("viridis"))
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main()
