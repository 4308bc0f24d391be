"""Counts what a training step of the GPU engine launches, moves and computes, and what that would take on a given GPU.

Usage: gpu_step.py [CONFIG.json...]     (configs/ without arguments)

The counts follow src/engine/cuda/llama_forward.cpp, llama_backward.cpp and rules/; tests/cuda_on_cpu holds the number of
launches to what the engine does. The times are predictions from the figures below, not measurements.
"""
import json
import sys
from pathlib import Path

WALKS, LENGTH, VOCAB = 50, 128, 1200
ROW_STEP = 64

# Of an NVIDIA H100 SXM by its data sheet, and the shares of them that are assumed to be reached.
BANDWIDTH = 3.35e12 * 0.8        # bytes a second
PRODUCTS = {"float32": 67e12 * 0.6, "bfloat16": 989e12 * 0.4}  # operations a second in matrix products
# In the attention kernels. In float32 an operand comes from shared memory each time. In bfloat16 the tensor cores should
# wait most of the time: around each score are about ten float32 instructions, and with a head_dim of 16 only 64
# operations of the tensor cores forward; of a short walk's scores a part is computed in vain, next to the diagonal.
ATTENTION = {"float32": 67e12 * 0.2, "bfloat16": 989e12 * 0.05}
NODE = 2.5e-6                    # seconds that a node of a graph takes at least
ORTHOGONALIZE_STEPS = 3          # of Muon, as the recipes have them


class Step:
    """Nodes of a step's graph and the copies around it, each with its bytes and operations, where the GPU holds the dataset.

    `floats` are float32; `operands` are what products read, or the engine stores in their type: 2 bytes in bfloat16.
    """

    def __init__(self, precision):
        self.operand_bytes = 2 if precision == "bfloat16" else 4
        self.rate = PRODUCTS[precision]
        self.attention_rate = ATTENTION[precision]
        self.kernels = self.products = self.copies = 0
        self.bytes = self.operations = self.seconds = 0.0

    def _add(self, floats, operands, operations, rate):
        moved = 4 * floats + self.operand_bytes * operands
        self.bytes += moved
        self.operations += operations
        self.seconds += max(NODE, moved / BANDWIDTH, operations / rate)

    def kernel(self, floats=0, operands=0, operations=0):
        self.kernels += 1
        self._add(floats, operands, operations, self.attention_rate)

    def kernel_beside(self, floats):
        """In a branch of the graph beside kernels that take longer: no time of its own."""
        self.kernels += 1
        self.bytes += 4 * floats

    def product(self, m, n, k, result="operands", batch=1):
        """`result`: "operands", "floats", or "added" for float32 that is read as well."""
        self.products += 1
        floats = {"operands": 0, "floats": 1, "added": 2}[result] * m * n
        self._add(batch * floats, batch * (m * k + k * n + (m * n if result == "operands" else 0)), 2 * batch * m * n * k,
                  self.rate)

    def copy(self, floats):
        self.copies += 1
        self._add(floats, 0, 0, self.rate)


def parameters(c):
    h, f, heads, kv, d = dimensions(c)
    layer = 2 * h + (heads + 2 * kv) * d * h + heads * d * h + 3 * h * f
    return 2 * VOCAB * h + c["num_hidden_layers"] * layer + h


def dimensions(c):
    heads = c["num_attention_heads"]
    kv = c.get("num_key_value_heads", heads)
    return c["hidden_size"], c["intermediate_size"], heads, kv, c.get("head_dim") or c["hidden_size"] // heads


def norm_backward(step, r, h, is_final=False):
    dy = {"floats": r * h} if is_final else {"operands": r * h}
    step.kernel(r * h + dy.get("floats", 0), dy.get("operands", 0))  # partial sums of the weight's gradient
    step.kernel(r / 64 * h)
    rounded = 0 if step.operand_bytes == 4 else r * h                # dx once more, as an operand
    step.kernel((2 if is_final else 3) * r * h + dy.get("floats", 0), dy.get("operands", 0) + rounded)


def orthogonalize(step, count, rows, columns):
    """Muon over `count` matrices of one shape."""
    elements, s = count * rows * columns, min(rows, columns)
    step.kernel(3 * elements, elements)          # momentum and direction
    step.kernel(0, elements)                     # norms
    step.kernel(0, 2 * elements)                 # scaled
    for _ in range(ORTHOGONALIZE_STEPS):
        step.product(s, s, max(rows, columns), batch=count)
        step.product(s, s, s, batch=count)
        step.kernel(0, 3 * count * s * s)
        step.product(rows, columns, s, batch=count)
    step.kernel(2 * elements, 2 * elements)      # the weights, and they as operands


def update(step, c, optimizer):
    h, f, heads, kv, d = dimensions(c)
    n = c["num_hidden_layers"]
    step.kernel(3)                               # clip factor
    rounded = 0 if step.operand_bytes == 4 else 1
    if optimizer == "adamw":
        step.kernel(7 * parameters(c), rounded * parameters(c))
        return
    shapes = {}
    for rows, columns, count in ((heads * d, h, n), (kv * d, h, 2 * n), (h, heads * d, n), (f, h, 2 * n), (h, f, n)):
        shapes[rows, columns] = shapes.get((rows, columns), 0) + count
    matrices = sum(rows * columns * count for (rows, columns), count in shapes.items())
    step.kernel(7 * (parameters(c) - matrices), rounded * (parameters(c) - matrices))  # AdamW for the rest
    for (rows, columns), count in shapes.items():
        orthogonalize(step, count, rows, columns)


def count(c, precision="float32", optimizer="adamw"):
    h, f, heads, kv, d = dimensions(c)
    r = -(-WALKS * (LENGTH - 1) // ROW_STEP) * ROW_STEP
    qkv, o = (heads + 2 * kv) * d, heads * d
    scores = WALKS * heads * (LENGTH - 1) * LENGTH / 2 * 2 * d  # operations of one product over what is seen
    step = Step(precision)
    step.copy(3 * WALKS)                         # where the walks begin, and the step's numbers
    step.kernel(4 * r)                           # their tokens, targets and positions out of the dataset
    step.kernel_beside(2 * r + VOCAB)            # rows in the order of their tokens, beside the forward pass
    step.copy(parameters(c))                     # gradient = 0
    step.kernel(2 * r * h)                       # embedding
    for _ in range(c["num_hidden_layers"]):
        step.kernel(r * h, r * h)                # norm
        step.product(r, qkv, h)
        step.kernel(0, 2 * r * (heads + kv) * d)  # rope
        step.kernel(0, r * (qkv + o), 2 * scores)
        step.product(r, h, o, "added")
        step.kernel(r * h, r * h)                # norm
        step.product(r, 2 * f, h)
        step.kernel(0, 3 * r * f)                # swiglu
        step.product(r, h, f, "added")
    step.kernel(r * h, r * h)                    # norm
    step.product(r, VOCAB, h, "floats")
    step.kernel(r * VOCAB)                       # log-sum-exp
    step.kernel(3 * r)                           # losses
    step.kernel(r * VOCAB, r * VOCAB)            # dlogits
    step.product(r, h, VOCAB, "floats")
    step.product(VOCAB, h, r, "added")
    norm_backward(step, r, h, is_final=True)
    for _ in range(c["num_hidden_layers"]):
        step.product(r, f, h)
        step.kernel(0, 6 * r * f)                # swiglu, backward
        step.product(h, f, r, "added")
        step.product(2 * f, h, r, "added")
        step.product(r, h, 2 * f)
        norm_backward(step, r, h)
        step.product(h, o, r, "added")
        step.product(r, o, h)
        step.kernel(0, r * (qkv + 3 * o), 3 * scores)               # queries
        step.kernel(0, r * (qkv + o + 2 * kv * d), 4 * scores)      # keys and values
        step.kernel(0, 2 * r * (heads + kv) * d)  # rope, backward
        step.product(qkv, h, r, "added")
        step.product(r, h, qkv)
        norm_backward(step, r, h)
    step.kernel(r * h + VOCAB * h)               # embedding, backward
    step.kernel(parameters(c))                   # squares
    step.kernel(parameters(c) / 4096)            # norm
    update(step, c, optimizer)
    step.copy(r)                                 # losses and norm
    return step


def main():
    root = Path(__file__).resolve().parents[1]
    presets = [root / f"configs/config_{name}_llama.json" for name in ("400K", "2M", "6M", "12M")]
    files = [Path(name) for name in sys.argv[1:]] or presets
    print(f"A step of {WALKS} walks of {LENGTH} tokens, a vocabulary of {VOCAB}")
    print("| model | parameters | precision | optimizer | kernels | products | copies | bytes | operations | predicted |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for file in files:
        config = json.loads(file.read_text())
        name = file.stem.removeprefix("config_").removesuffix("_llama")
        for precision, optimizer in (("float32", "adamw"), ("bfloat16", "adamw"), ("bfloat16", "muon")):
            step = count(config, precision, optimizer)
            print(f"| {name} | {parameters(config):,} | {precision} | {optimizer} | {step.kernels} | {step.products} "
                  f"| {step.copies} | {step.bytes / 1e9:.2f} GB | {step.operations / 1e9:.1f} G "
                  f"| {step.seconds * 1e3:.2f} ms |")


if __name__ == "__main__":
    main()
