"""Counts what a training step of the GPU engine launches, moves and computes, and what that would take on a given GPU.

Usage: gpu_step.py [CONFIG.json...]     (configs/ without arguments)

The counts follow src/engine/cuda/llama_forward.cpp and llama_backward.cpp; tests/cuda_on_cpu holds the number of launches
to what the engine does. The times are predictions from the figures below, not measurements.
"""
import json
import sys
from pathlib import Path

WALKS, LENGTH, VOCAB = 50, 128, 1200
ROW_STEP = 64

# Of an NVIDIA H100 SXM by its data sheet, and the shares of them that are assumed to be reached.
BANDWIDTH = 3.35e12 * 0.8        # bytes a second
PRODUCTS = 67e12 * 0.6           # float32 operations a second in matrix products
ATTENTION = 67e12 * 0.2          # the same in the attention kernels, which read an operand from shared memory each time
NODE = 2.5e-6                    # seconds that a node of a graph takes at least


class Step:
    """Nodes of the two graphs of a step, each with its bytes and operations."""

    def __init__(self):
        self.kernels = self.products = self.copies = 0
        self.bytes = self.operations = self.seconds = 0.0

    def _add(self, floats, operations, rate):
        self.bytes += 4 * floats
        self.operations += operations
        self.seconds += max(NODE, 4 * floats / BANDWIDTH, operations / rate)

    def kernel(self, floats, operations=0, rate=PRODUCTS):
        self.kernels += 1
        self._add(floats, operations, rate)

    def product(self, m, n, k, adds=False):
        self.products += 1
        self._add(m * k + k * n + (2 if adds else 1) * m * n, 2 * m * n * k, PRODUCTS)

    def copy(self, floats):
        self.copies += 1
        self._add(floats, 0, PRODUCTS)


def parameters(c):
    h, f, heads, kv, d = dimensions(c)
    layer = 2 * h + (heads + 2 * kv) * d * h + heads * d * h + 3 * h * f
    return 2 * VOCAB * h + c["num_hidden_layers"] * layer + h


def dimensions(c):
    heads = c["num_attention_heads"]
    kv = c.get("num_key_value_heads", heads)
    return c["hidden_size"], c["intermediate_size"], heads, kv, c.get("head_dim") or c["hidden_size"] // heads


def norm_backward(step, r, h):
    step.kernel(2 * r * h)      # partial sums of the weight's gradient
    step.kernel(r / 64 * h)
    step.kernel(4 * r * h)      # x, dy, dx read and written


def count(c):
    h, f, heads, kv, d = dimensions(c)
    r = -(-WALKS * (LENGTH - 1) // ROW_STEP) * ROW_STEP
    qkv, o = (heads + 2 * kv) * d, heads * d
    scores = WALKS * heads * (LENGTH - 1) * LENGTH / 2 * 2 * d  # operations of one product over what is seen
    step = Step()
    step.copy(5 * r)
    step.kernel(2 * r * h)                       # embedding
    for _ in range(c["num_hidden_layers"]):
        step.kernel(2 * r * h)                   # norm
        step.product(r, qkv, h)
        step.kernel(2 * r * (heads + kv) * d)    # rope
        step.kernel(r * (qkv + o), 2 * scores, ATTENTION)
        step.product(r, h, o, adds=True)
        step.kernel(2 * r * h)                   # norm
        step.product(r, 2 * f, h)
        step.kernel(3 * r * f)                   # swiglu
        step.product(r, h, f, adds=True)
    step.kernel(2 * r * h)                       # norm
    step.product(r, VOCAB, h)
    step.kernel(r * VOCAB)                       # log-sum-exp
    step.kernel(3 * r)                           # losses
    step.copy(r)
    step.copy(1)
    step.copy(parameters(c))                     # gradient = 0
    step.kernel(2 * r * VOCAB)                   # dlogits
    step.product(r, h, VOCAB)
    step.product(VOCAB, h, r, adds=True)
    norm_backward(step, r, h)
    for _ in range(c["num_hidden_layers"]):
        step.product(r, f, h)
        step.kernel(6 * r * f)                   # swiglu, backward
        step.product(h, f, r, adds=True)
        step.product(2 * f, h, r, adds=True)
        step.product(r, h, 2 * f)
        norm_backward(step, r, h)
        step.product(h, o, r, adds=True)
        step.product(r, o, h)
        step.kernel(r * (qkv + 3 * o), 3 * scores, ATTENTION)      # queries
        step.kernel(r * (qkv + o + 2 * kv * d), 4 * scores, ATTENTION)  # keys and values
        step.kernel(2 * r * (heads + kv) * d)    # rope, backward
        step.product(qkv, h, r, adds=True)
        step.product(r, h, qkv)
        norm_backward(step, r, h)
    step.kernel(r * h + VOCAB * h)               # embedding, backward
    step.kernel(parameters(c))                   # squares
    step.kernel(parameters(c) / 4096)            # norm
    step.copy(1)
    step.copy(8)
    step.kernel(3)                               # clip factor
    step.kernel(7 * parameters(c))               # AdamW
    return step


def main():
    root = Path(__file__).resolve().parents[1]
    presets = [root / f"configs/config_{name}_llama.json" for name in ("400K", "2M", "6M", "12M")]
    files = [Path(name) for name in sys.argv[1:]] or presets
    print(f"A step of {WALKS} walks of {LENGTH} tokens, a vocabulary of {VOCAB}, float32, AdamW")
    print("| model | parameters | kernels | products | copies | bytes | operations | predicted |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for file in files:
        config = json.loads(file.read_text())
        step = count(config)
        name = file.stem.removeprefix("config_").removesuffix("_llama")
        print(f"| {name} | {parameters(config):,} | {step.kernels} | {step.products} | {step.copies} "
              f"| {step.bytes / 1e9:.2f} GB | {step.operations / 1e9:.1f} G | {step.seconds * 1e3:.1f} ms |")


if __name__ == "__main__":
    main()
