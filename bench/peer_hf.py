#!/usr/bin/env python3
"""Times Hugging Face Trainer on random walks over a 30 x 40 torus, at the settings of step_bench; prints one JSON line.

Run with a Python that has torch, transformers and accelerate: PEERS_PYTHON of `make bench`.
"""
import argparse
import json
import random
import statistics
import tempfile
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments, set_seed


def torus_walks(count, length, height=30, width=40):
    rng = random.Random(1)
    walks = []
    for _ in range(count):
        row, column = rng.randrange(height), rng.randrange(width)
        walk = []
        for _ in range(length):
            walk.append(row * width + column)
            row = (row + rng.choice((-1, 0, 1))) % height
            column = (column + rng.choice((-1, 0, 1))) % width
        walks.append({"input_ids": walk})
    return walks


def collate(rows):
    ids = torch.tensor([row["input_ids"] for row in rows])
    return {"input_ids": ids, "labels": ids.clone(), "attention_mask": torch.ones_like(ids)}


class Clock(TrainerCallback):
    def __init__(self):
        self.times = []

    def on_step_begin(self, *_, **__):
        self.began = time.perf_counter()

    def on_step_end(self, *_, **__):
        self.times.append(time.perf_counter() - self.began)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--skip", type=int, default=3)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--compile", action="store_true")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    config = LlamaConfig.from_json_file(a.config)
    config.vocab_size = 1200
    set_seed(42)
    model = LlamaForCausalLM(config)
    clock = Clock()
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch, max_steps=a.steps, per_device_train_batch_size=50, learning_rate=5e-4, warmup_steps=50,
            weight_decay=0.01, save_strategy="no", report_to="none", use_cpu=True, disable_tqdm=True,
            torch_compile=a.compile)
        Trainer(model=model, args=arguments, train_dataset=torus_walks(50 * a.steps, 128), data_collator=collate,
                callbacks=[clock]).train()
    print(json.dumps({"step_ms": 1000 * statistics.median(clock.times[a.skip:]), "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
