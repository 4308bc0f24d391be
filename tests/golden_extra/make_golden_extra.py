#!/usr/bin/env python3
"""Writes the data beside this file from the public libraries themselves: what golden/ has nothing on.

torch's and Python's generators number for number, initializations and gradients of unusual shapes, and a safetensors file of many
types.
Pins: torch 2.15.0 (CPU), transformers 4.57.1, safetensors 0.8.0. `make_golden_extra.py OUT`.
"""
import argparse
import json
import random
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

MODELS = {
    "init_gqa_tied_head_dim": dict(vocab_size=11, hidden_size=24, intermediate_size=20, num_hidden_layers=2,
                                   num_attention_heads=3, num_key_value_heads=1, head_dim=6, initializer_range=0.05,
                                   rope_theta=500000.0, rms_norm_eps=1e-5, tie_word_embeddings=True),
    # Tensors of fewer than 16 elements take another way through torch's normal_.
    "init_small_tensors": dict(vocab_size=2, hidden_size=6, intermediate_size=2, num_hidden_layers=3,
                               num_attention_heads=3, num_key_value_heads=1, head_dim=2),
    # The row of pad_token_id is zeroed after it was drawn.
    "init_padding": dict(vocab_size=9, hidden_size=8, intermediate_size=12, num_hidden_layers=1,
                         num_attention_heads=2, num_key_value_heads=2, pad_token_id=3, bos_token_id=None),
}

GRADIENTS = {
    "gradients_head_dim_1": dict(hidden_size=6, num_attention_heads=6, num_key_value_heads=2),
    # 26 / 6 is rounded down to 4: the heads together are narrower than the model.
    "gradients_uneven_heads": dict(hidden_size=26, num_attention_heads=6, num_key_value_heads=3),
}


def models(out):
    for name, settings in MODELS.items():
        set_seed(42)
        LlamaForCausalLM(LlamaConfig(**settings)).save_pretrained(out / name)


def gradients(out):
    """One forward and backward pass: logits, loss and every gradient, as golden/'s gradients."""
    for name, settings in GRADIENTS.items():
        set_seed(3)
        model = LlamaForCausalLM(LlamaConfig(vocab_size=20, intermediate_size=12, num_hidden_layers=2, **settings))
        with torch.no_grad():  # norms off 1 and weights larger than the initialization: every parameter matters
            for p in model.parameters():
                p.copy_(p + 0.1 * torch.randn_like(p) if p.dim() == 1 else p * 10)
        model.save_pretrained(out / name)
        walks = [torch.randint(0, 20, (n,)).tolist() for n in (16, 9, 2, 13)]
        longest = max(map(len, walks))
        ids = torch.tensor([walk + [0] * (longest - len(walk)) for walk in walks])
        mask = torch.tensor([[1] * len(walk) + [0] * (longest - len(walk)) for walk in walks])
        result = model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100))
        result.loss.backward()
        saved = {f"grad.{n}": p.grad.contiguous().clone() for n, p in model.named_parameters()}
        saved["logits"] = result.logits.detach().contiguous()
        saved["loss"] = result.loss.detach().reshape(1)
        save_file(saved, out / name / "expected.safetensors")
        (out / name / "batch.json").write_text(json.dumps({"max_length": longest, "walks": walks}))


def generator(out):
    """Every draw of one seed follows from the one before: a wrong count of draws shows in all that comes after."""
    result = []
    for seed in (0, 42, 2**32 - 1, 2**40 + 17):
        g = torch.Generator().manual_seed(seed)
        integers = torch.empty(400, dtype=torch.int64).random_(generator=g)
        normals = []
        for n in (1, 15, 16, 17, 2, 31, 32, 100, 3):
            normals.append(torch.empty(n).normal_(0.5, 2.0, generator=g).tolist())
        result.append({
            "seed": seed,
            "random63": [integers[i].item() for i in (0, 1, 310, 311, 312, 399)],
            "random63_at": [0, 1, 310, 311, 312, 399],
            "normals": normals,
            "uniforms": torch.rand(5, generator=g).tolist(),
            "permutation": torch.randperm(12, generator=g).tolist(),
            "empty_permutation": torch.randperm(0, generator=g).tolist(),
            "last_uniform": torch.rand(1, generator=g).item(),
        })
    (out / "torch_generator.json").write_text(json.dumps(result, indent=1) + "\n")


def safetensors_types(out):
    values = torch.tensor([0.0, -0.0, 1.0, -1.5, 65504.0, 6e-8, -6e-8, 6.1e-5, 0.1, float("inf"), float("-inf")])
    tensors = {
        "half": values.half(),
        "brain": values.bfloat16().reshape(1, 11),
        "float": values,
        "double": values.double(),
        "long": torch.tensor([[2**40, -1]]),
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 7),
        "byte": torch.tensor([1, 2, 3], dtype=torch.uint8),
    }
    save_file(tensors, out / "types.safetensors", metadata={"format": "pt", "note": "ü"})
    widened = {n: tensors[n].float().reshape(-1).view(torch.int32).tolist() for n in ("half", "brain", "float", "scalar")}
    (out / "types.json").write_text(json.dumps(
        {"shapes": {n: list(t.shape) for n, t in tensors.items()}, "float32_bits": widened}, indent=1) + "\n")


def python_random(out):
    """random.Random through draws of every kind: sample() on both sides of where it changes from a list to a set."""
    runs = []
    for seed in (0, 1, 42, 2**32 - 1, 2**32, 2**64 - 1):
        generator = random.Random(seed)
        run = {"seed": seed, "draws": []}
        for n, k in ((1, 1), (21, 5), (22, 5), (85, 6), (86, 6), (1045, 100), (1046, 100), (7, 7), (5, 0), (10**12, 3)):
            run["draws"].append({"sample": [n, k], "is": generator.sample(range(n), k)})
            run["draws"].append({"choices": [n, k], "is": generator.choices(range(n), k=k)})
        for bits in (1, 31, 32, 33, 63, 64):
            run["draws"].append({"bits": bits, "is": generator.getrandbits(bits)})
        run["random"] = generator.random()
        runs.append(run)
    (out / "python_random.json").write_text(json.dumps(runs))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    models(arguments.out)
    gradients(arguments.out)
    generator(arguments.out)
    safetensors_types(arguments.out)
    python_random(arguments.out)
