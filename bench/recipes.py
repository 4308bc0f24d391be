#!/usr/bin/env python3
"""Trains the recipes on three surfaces, draws loss and geometry along each run, and puts tables and charts into
docs/results.md. Needs build/strider; the runs stay in build/results/ and are not made again.

Usage: recipes.py [--write docs/results.md] [--surfaces torus,klein_x,sphere] [--recipes lowest-loss,fast] [--seeds 42]
"""
import argparse
import json
import os
import subprocess
from pathlib import Path

from charts import plt, save

ROOT = Path(__file__).resolve().parents[1]
STRIDER = ROOT / "build/strider"
RUNS = ROOT / "build/results"
BEGIN, END = "<!-- recipes: written by bench/recipes.py -->", "<!-- end of recipes -->"
MEASURES = (("neighbours", "neighbours"), ("within_two", "within two"), ("geodesic_correlation", "geodesics"),
            ("component_correlation", "three components"))
EVERY = 75  # steps between measures


def script(name, **variables):
    environment = os.environ | {"STRIDER": str(STRIDER)} | {key: str(value) for key, value in variables.items()}
    subprocess.run([ROOT / name], cwd=RUNS, env=environment, check=True, stdout=subprocess.DEVNULL)


def train(surface, recipe, seed):
    """A run: the lines of its metrics.jsonl, and what is drawn of them. Its seconds are those of steps alone."""
    data = RUNS / f"results/{surface}_30x40"
    names = dict(TOPOLOGY=surface)
    for step, made in (("01a_graph_generation.sh", "graph"), ("01b_sequence_generation.sh", "sequences"),
                       ("01c_dataset_preparation.sh", "dataset")):
        if not (data / made).is_dir():
            script(step, **names)
    run = data / f"{recipe}_{seed}"
    if not (run / "strider_run.json").exists():
        print(f"training {recipe} on {surface}, seed {seed}", flush=True)
        script("02a_model_training.sh", **names, OUTPUT_DIR=run, RECIPE=recipe, SEED=seed, GEOMETRY_STEPS=EVERY, REPORT_TO="none")
    lines = [json.loads(text) for text in (run / "metrics.jsonl").read_text().splitlines()]
    return {"surface": surface, "recipe": recipe, "seed": seed, "lines": lines, **curves(lines)}


def curves(lines):
    """The training loss of each log entry with tokens and seconds of steps until then; the last evaluation; the measures."""
    losses, seconds, tokens = [], 0.0, 0
    for line in lines:
        if line["event"] == "log":
            seconds += (line["tokens"] - tokens) / line["tokens_per_second"]
            tokens = line["tokens"]
            losses.append((line["step"], tokens, seconds, line["loss_per_prediction"]))
    evaluations = [line["eval_loss_per_prediction"] for line in lines if line["event"] == "evaluation"]
    geometry = [(line["step"], line["arrays"]) for line in lines if line["event"] == "geometry"]
    return {"best": lines[0]["best_loss"], "losses": losses, "final": evaluations[-1], "geometry": geometry}


def best_of(arrays, measure):
    return max((values[measure] for values in arrays.values() if measure in values), default=float("nan"))


def loss_chart(runs, file):
    figure, panels = plt.subplots(1, 2, figsize=(11, 3.8), sharey=True)
    for run in runs:
        label = f"{run['recipe']}, {run['surface']}"
        for panel, column in zip(panels, (1, 2)):
            panel.plot([loss[column] for loss in run["losses"]], [loss[3] for loss in run["losses"]],
                       "--" if run["recipe"] == "fast" else "-", lw=1.2, label=label)
            panel.set_ylim(1.7, 3.5)
    panels[0].set_xlabel("tokens")
    panels[0].set_ylabel("training loss")
    panels[1].set_xlabel("seconds of steps")
    panels[1].legend(frameon=False, fontsize=8)
    save(figure, file)


def geometry_chart(run, file):
    """Each measure by step, a curve a layer: dark is near the output."""
    figure, panels = plt.subplots(1, len(MEASURES), figsize=(12, 3.2), sharey=True)
    arrays = list(run["geometry"][-1][1])
    arrays.sort(key=lambda name: -1 if name == "input_embeds" else 99 if name == "final_hidden" else int(name.split("_")[1]))
    for panel, (measure, name) in zip(panels, MEASURES):
        for i, array in enumerate(arrays):
            points = [(step, of[array][measure]) for step, of in run["geometry"] if measure in of.get(array, {})]
            panel.plot(*zip(*points), color=plt.cm.viridis_r(i / (len(arrays) - 1)), label=array)
        panel.set_title(name)
        panel.set_xlabel("step")
        panel.set_ylim(-0.05, 1.05)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="lower center", ncol=5, frameon=False, fontsize=7)
    figure.subplots_adjust(bottom=0.3)
    figure.tight_layout(rect=(0, 0.16, 1, 1))
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def table(runs):
    rows = ["| surface | recipe | seed | loss | over the best possible | tokens | seconds of steps | " +
            " | ".join(name for _, name in MEASURES) + " |", "| --- " * (7 + len(MEASURES)) + "|"]
    for run in runs:
        _, tokens, seconds, _ = run["losses"][-1]
        loss = run["final"]
        last = run["geometry"][-1][1]
        rows.append(f"| {run['surface']} | {run['recipe']} | {run['seed']} | {loss:.3f} | {loss - run['best']:.3f} | "
                    f"{tokens / 1e6:.1f} million | {seconds:.0f} | " +
                    " | ".join(f"{best_of(last, measure):.2f}" for measure, _ in MEASURES) + " |")
    return rows


def when_table(runs):
    """When each measure is at its largest, and how large then."""
    rows = ["| surface | recipe | seed | " + " | ".join(f"{name}: most, at step" for _, name in MEASURES) + " |",
            "| --- " * (3 + len(MEASURES)) + "|"]
    for run in runs:
        most = []
        for measure, _ in MEASURES:
            value, step = max((best_of(arrays, measure), step) for step, arrays in run["geometry"])
            most.append(f"{value:.2f}, {step:,}")
        rows.append(f"| {run['surface']} | {run['recipe']} | {run['seed']} | " + " | ".join(most) + " |")
    return rows


def section(runs, charts):
    run_line = runs[0]["lines"][0]
    lines = [BEGIN, "",
             f"`make results` made what follows, on {run_line['processor']}, {run_line['threads']} threads, {run_line['precision']}; the 2M "
             f"preset, grids of 30 x 40, default walks. Losses of the table are over all 6,000 validation walks. Measures come every "
             f"{EVERY} steps; seconds are those of steps alone. Each measure is that of the layer where it is largest.", "",
             *table(runs), "", "![Training loss by tokens and by seconds](charts/recipes_loss.svg)", "",
             "When each measure is at its largest on the way:", "", *when_table(runs), "",
             "The measures by step, a curve for each layer, from light (the embeddings) to dark (after the final norm):", ""]
    for run, chart in charts:
        lines += [f"{run['recipe']} on {run['surface']}, seed {run['seed']}:", "",
                  f"![Geometry by layer and step: {run['recipe']} on {run['surface']}](charts/{chart})", ""]
    return "\n".join([*lines, END])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--surfaces", default="torus,klein_x,sphere")
    parser.add_argument("--recipes", default="lowest-loss,fast")
    parser.add_argument("--seeds", default="42")
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    runs = [train(surface, recipe, int(seed)) for surface in options.surfaces.split(",")
            for recipe in options.recipes.split(",") for seed in options.seeds.split(",")]
    charts = ROOT / "docs/charts"
    first_seed = [run for run in runs if run["seed"] == runs[0]["seed"]]
    loss_chart(first_seed, charts / "recipes_loss.svg")
    drawn = []
    for run in first_seed:
        drawn.append((run, f"recipes_{run['recipe']}_{run['surface']}.svg"))
        geometry_chart(run, charts / drawn[-1][1])
    text = section(runs, drawn)
    print(text)
    if options.write:
        page = options.write.read_text()
        begin, end = page.index(BEGIN), page.index(END) + len(END)
        options.write.write_text(page[:begin] + text + page[end:])


if __name__ == "__main__":
    main()
