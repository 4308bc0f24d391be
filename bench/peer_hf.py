#!/usr/bin/env python3
"""Times Hugging Face Trainer on random walks over a 30 x 40 torus, at the settings of step_bench; prints one JSON line, or with
--gpu one for each configuration and precision: float32, bfloat16, and bfloat16 with torch.compile.

Run with a Python that has torch, transformers and accelerate: PEERS_PYTHON of `make bench` and `make gpu`.
"""
import argparse
import itertools
import json
import statistics
import tempfile
import time

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments, set_seed

from walks import torus_walks

WALKS, LENGTH = 50, 128


def collate(rows):
    ids = torch.stack([row["input_ids"] for row in rows])
    return {"input_ids": ids, "labels": ids.clone(), "attention_mask": torch.ones_like(ids)}


class Clock(TrainerCallback):
    def __init__(self):
        self.begun = []
        self.ended = []

    def on_step_begin(self, *_, **__):
        self.begun.append(time.perf_counter())

    def on_step_end(self, *_, **__):
        self.ended.append(time.perf_counter())

    def steps(self, on_gpu):
        # On a GPU a step has ended for the host when its work is queued, so one lasts until the next begins.
        if on_gpu:
            return [after - before for before, after in itertools.pairwise(self.begun)]
        return [end - begin for begin, end in zip(self.begun, self.ended)]


def step_ms(config_file, steps, skip, on_gpu, bf16=False, compiled=False):
    config = LlamaConfig.from_json_file(config_file)
    config.vocab_size = 1200
    set_seed(42)
    model = LlamaForCausalLM(config)
    clock = Clock()
    walks = [{"input_ids": torch.tensor(walk)} for walk in torus_walks(WALKS * steps, LENGTH)]
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch, max_steps=steps, per_device_train_batch_size=WALKS, learning_rate=5e-4, warmup_steps=50,
            weight_decay=0.01, save_strategy="no", report_to="none", use_cpu=not on_gpu, disable_tqdm=True, bf16=bf16,
            torch_compile=compiled)
        Trainer(model=model, args=arguments, train_dataset=walks, data_collator=collate, callbacks=[clock]).train()
    return 1000 * statistics.median(clock.steps(on_gpu)[skip:])


def time_on_gpu(a):
    if not torch.cuda.is_available():
        raise SystemExit("Error: torch finds no GPU")
    for config in a.config:
        for bf16, compiled in ((False, False), (True, False), (True, True)):
            torch.compiler.reset()  # what was compiled for another model does not count for this one
            ms = step_ms(config, a.steps, a.skip, True, bf16, compiled)
            print(json.dumps({"config": config, "precision": "bfloat16" if bf16 else "float32", "compiled": compiled,
                              "step_ms": ms, "torch": torch.__version__, "transformers": transformers.__version__}),
                  flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", action="append", required=True)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--skip", type=int, default=3)
    machine = parser.add_mutually_exclusive_group(required=True)
    machine.add_argument("--threads", type=int)
    machine.add_argument("--gpu", action="store_true")
    parser.add_argument("--compile", action="store_true")
    a = parser.parse_args()
    if a.gpu:
        time_on_gpu(a)
        return
    torch.set_num_threads(a.threads)
    ms = step_ms(a.config[0], a.steps, a.skip, False, compiled=a.compile)
    print(json.dumps({"step_ms": ms, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
