"""A folder with a sweep of small runs, and Snakemake started in it as scripts/sweep.sh starts it."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = ROOT / "build/workflow/bin/snakemake"
CONFIG = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 32, "intermediate_size": 48,
          "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64,
          "vocab_size": 64, "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
          "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False}
SWEEP = {"surfaces": ["torus", "klein_x"], "sizes": ["4x5"], "presets": ["config_tiny.json"], "seeds": [1, 2],
         "walks": {"short": {"MAX_SEQS": 600, "MAX_LENGTH": 24, "NO_REPEAT_WINDOW": 4}},
         "settings": {"MAX_STEPS": 20, "EVAL_STEPS": 10, "BATCH_SIZE": 8, "WARMUP_STEPS": 2}}

# Files that say when something was made, and how long it took, beside what was made.
WITH_TIMES = re.compile(r"/(logs|benchmarks)/|/(plan\.json|\.strider\.lock|metrics\.jsonl|report\.html|sweep\.html)$"
                        r"|/events\.out\.tfevents[^/]*$|/(trainer_state|strider_state|strider_run)\.json$")


class Scene:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="strider-sweep-"))
        self.environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        (self.folder / "config_tiny.json").write_text(json.dumps(CONFIG))

    def close(self):
        shutil.rmtree(self.folder)

    def write(self, **changes):
        sweep = {name: value for name, value in {**SWEEP, **changes}.items() if value is not None}
        (self.folder / "sweep.yaml").write_text(yaml.safe_dump(sweep))

    def command(self, *options):
        return [SNAKEMAKE, "--snakefile", ROOT / "workflow/Snakefile", "--configfile", "sweep.yaml", "--nocolor", *options]

    def start(self, *options):
        # What a shell starts in the background ignores Ctrl-C, and so would all that it starts.
        def heed():
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        return subprocess.Popen(self.command(*options), cwd=self.folder, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=heed,
                                env=self.environment)

    def run(self, *options):
        """The exit status and all that was printed."""
        process = self.start(*(options or ("--cores", "2")))
        text = process.communicate()[0]
        return process.returncode, text

    def must(self, *options):
        status, text = self.run(*options)
        if status != 0:
            raise AssertionError(f"exit status {status}:\n{text}")
        return text

    def run_folder(self, graph, seed, walks="short", training="plain"):
        return self.folder / f"results/{graph}/{walks}/tiny_reference_{training}_{seed}"

    def digests(self):
        """Of all files that are the same whenever and wherever they are made: name to SHA-256."""
        files = [file for file in sorted((self.folder / "results").rglob("*")) if file.is_file()]
        return {str(file.relative_to(self.folder)): hashlib.sha256(file.read_bytes()).hexdigest()
                for file in files if not WITH_TIMES.search(str(file))}
