"""The charts of growth.py. The same figures give the same bytes."""
import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "strider", "svg.fonttype": "none", "font.size": 10, "axes.grid": True,
                            "grid.color": "#dddddd", "axes.spines.top": False, "axes.spines.right": False})
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of its output)
from matplotlib.ticker import FuncFormatter  # noqa: E402

MEASURED, LEAST = "#1f5fa8", "#c0562b"


def whole_numbers(axis, values):
    axis.set_ticks(values)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def save(figure, file):
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def scale(axis, points, label):
    axis.set_xscale("log")
    whole_numbers(axis.xaxis, [p["x"] for p in points])
    axis.set_xlabel(label)
    shown = [value for line in axis.get_lines() for value in line.get_ydata()]
    if max(shown) > 8 * min(shown):
        axis.set_yscale("log")
        axis.set_ylim(top=3 * max(shown))  # room for the legend
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    else:
        axis.set_ylim(bottom=0, top=1.08 * max(shown))


def engine_chart(points, grows, file):
    """Time per token beside what the arithmetic says, rate, memory."""
    figure, (time, rate, memory) = plt.subplots(1, 3, figsize=(11, 3.4))
    x = [p["x"] for p in points]
    time.plot(x, [p["us"] for p in points], "o-", color=MEASURED, label="measured")
    time.plot(x, [p["least_us"] for p in points], "--", color=LEAST, label="all arithmetic, at the FMA peak")
    time.set_ylabel("µs per token")
    time.set_title("Time per token")
    time.legend(frameon=False, fontsize=8)
    rate.plot(x, [p["gflops"] for p in points], "o-", color=MEASURED)
    rate.plot(x, [p["gflops"] / p["share"] for p in points], "--", color=LEAST)
    rate.set_ylabel("GFLOP/s")
    rate.set_title("Arithmetic rate, and the FMA peak")
    memory.plot(x, [p["mb"] for p in points], "o-", color=MEASURED)
    memory.set_ylabel("MB")
    memory.set_title("Memory of a step")
    for axis in (time, rate, memory):
        scale(axis, points, grows)
        if len(points) > 5:
            axis.tick_params(axis="x", labelrotation=45)
    save(figure, file)


def walks_chart(points, file):
    """The commands before training, its start and step, its memory."""
    figure, (before, start, memory) = plt.subplots(1, 3, figsize=(11, 3.4))
    x = [p["x"] for p in points]
    before.plot(x, [p["walks_s"] for p in points], "o-", color=MEASURED, label="strider walks")
    before.plot(x, [p["dataset_s"] for p in points], "s-", color=LEAST, label="strider dataset")
    before.set_ylabel("seconds")
    before.set_title("Making them")
    before.legend(frameon=False, fontsize=8)
    start.plot(x, [p["start_s"] for p in points], "o-", color=MEASURED, label="to the first step")
    start.plot(x, [p["step_ms"] / 1000 for p in points], "s-", color=LEAST, label="a step")
    start.set_ylabel("seconds")
    start.set_title("Training: start and step")
    start.legend(frameon=False, fontsize=8)
    memory.plot(x, [p["train_mb"] for p in points], "o-", color=MEASURED)
    memory.set_ylabel("MB")
    memory.set_title("Training: peak memory")
    for axis in (before, start, memory):
        scale(axis, points, "walks in the dataset")
    save(figure, file)
