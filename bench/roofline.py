"""The parts of a training step: what each must compute and move, the least time for that on this machine, and the time it takes."""
from measure import PRESETS, benchmark, table

ROWS_OF_A_STEP = 50 * 127  # the last token of a walk predicts nothing
ROWS_OF_A_BLOCK = 2 * 127  # as ops_bench measures them


def ceiling(row, machine):
    """What bounds a part and its least seconds per call on one thread."""
    if row["once"]:
        return "memory", row["bytes"] / machine["bandwidth"] * machine["threads"]
    arithmetic = row["operations"] / machine["peak_flops_1"]
    moving = row["bytes"] / machine["cache_bandwidth_1"]
    return ("arithmetic", arithmetic) if arithmetic >= moving else ("cache", moving)


def parts_of(build, preset, machine):
    """(name, bound, operations, bytes, least ms, measured ms) of each part, a whole step on all threads."""
    parts = []
    for name, row in benchmark(build / "ops_bench", f"^{preset}/").items():
        bound, least = ceiling(row, machine)
        calls = row["calls"] * (1 if row["once"] else ROWS_OF_A_STEP / ROWS_OF_A_BLOCK)
        ms = 1000 * calls / machine["threads"]
        parts.append((name.split("/", 1)[1].replace("/", ", "), bound, calls * row["operations"], calls * row["bytes"], ms * least,
                      ms * row["cpu_time"] * 1e-9))
    return parts


def one_preset(build, preset, machine, step_ms):
    parts = parts_of(build, preset, machine)
    rows = []
    for name, bound, operations, moved, least, measured in sorted(parts, key=lambda part: -part[-1]):
        rows.append((name, f"{operations / 1e9:.1f}" if operations else "", f"{moved / 1e6:.0f}", bound, f"{least:.2f}",
                     f"{measured:.2f}", f"{100 * least / measured:.0f}%", f"{100 * measured / step_ms:.1f}%"))
    least, measured = (sum(part[i] for part in parts) for i in (-2, -1))
    rows.append(("**sum of the parts**", f"{sum(part[2] for part in parts) / 1e9:.1f}",
                 f"{sum(part[3] for part in parts) / 1e6:.0f}", "", f"{least:.1f}", f"{measured:.1f}",
                 f"{100 * least / measured:.0f}%", f"{100 * measured / step_ms:.1f}%"))
    rows.append(("**whole step**", "", "", "", "", f"{step_ms:.1f}", f"{100 * least / step_ms:.0f}%", ""))
    head = ("part", "GFLOP", "MB moved", "bound by", "least, ms", "measured, ms", "least / measured", "of the step")
    return table(head, rows)


EXPLANATION = f"""Of a step's {ROWS_OF_A_STEP:,} rows on all threads. *MB moved* counts each buffer of a call once, wherever it lies.
*Least* is the larger of the operations at the FMA peak and the bytes at the bandwidth of what *bound by* names; a part of a small
model can be faster than that, where its buffers stay in a nearer cache. *Measured* is the processor time of each part alone, on one
thread, divided by the threads; what the whole step takes beyond the sum is waiting, first touches, and caches that parts share.
The first layer's q, k, v count and are measured as those of any layer, though a step makes them once per token.
"""


def roofline(build, machine, step_ms):
    """Markdown; step_ms has each preset's whole step, measured in the same sitting."""
    text = [EXPLANATION]
    for preset in PRESETS:
        text.append(f"#### {preset}\n\n{one_preset(build, preset, machine, step_ms[preset])}")
    return "\n".join(text)
