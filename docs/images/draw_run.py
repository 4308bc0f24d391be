#!/usr/bin/env python3
"""Draws a finished run: its losses beside the best possible one, and how far apart tokens' vectors are, by their distance
on the graph.

Usage: draw_run.py results/DATASET_NAME results/DATASET_NAME/RUN_NAME OUT.svg     (needs numpy and matplotlib)
"""
import json
import math
import sys
from pathlib import Path

import matplotlib
import numpy

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "strider", "font.size": 9})
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of backend)


def draw_losses(axes, vocab, log):
    train = [(entry["step"], entry["loss"]) for entry in log if "loss" in entry]
    evaluated = [(entry["step"], entry["eval_loss"]) for entry in log if "eval_loss" in entry]
    axes.plot(*zip(*train), lw=1, label="training")
    axes.plot(*zip(*evaluated), "o", ms=4, label=f"validation (at the end {evaluated[-1][1]:.3f})")
    axes.axhline(math.log(8), color="0.6", lw=1, ls=":", label="knows the graph alone: ln 8 = 2.079")
    axes.axhline(vocab["best_loss"], color="0.2", lw=1, ls="--", label=f"best possible: {vocab['best_loss']:.3f}")
    axes.set(xlabel="step", ylabel="loss (nats a predicted token)", ylim=(vocab["best_loss"] - 0.1, train[0][1] + 0.1))
    axes.legend(frameon=False)


def draw_distances(axes, steps, arrays):
    layers = sum(name.endswith("_after_block") for name in arrays.files)
    for i in range(layers):
        vectors = arrays[f"layer_{i}_after_block"].astype(float)
        apart = numpy.sqrt(((vectors[:, None] - vectors[None]) ** 2).sum(axis=-1))
        apart /= apart[steps > 0].mean()
        far = numpy.arange(1, int(steps.max()) + 1)
        axes.plot(far, [apart[steps == k].mean() for k in far], "o-", ms=3, lw=1, label=f"layer {i}",
                  color=plt.get_cmap("viridis")(i / layers))
    axes.set(xlabel="steps between two tokens on the graph", ylabel="distance of their vectors (mean: 1)")
    axes.legend(frameon=False, title="after_block")


def main():
    data, run, out = sys.argv[1:]
    vocab = json.loads((Path(data) / "dataset" / "vocab_info.json").read_text())
    log = json.loads((Path(run) / "trainer_state.json").read_text())["log_history"]
    steps = numpy.load(next((Path(data) / "graph").glob("distance_matrix_*.npy")))
    arrays = numpy.load(Path(run) / "token_representations" / "token_representations.npz")
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    draw_losses(axes[0], vocab, log)
    draw_distances(axes[1], steps, arrays)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main()
