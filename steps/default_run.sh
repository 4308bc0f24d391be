#!/usr/bin/env bash
# A small run from the graph to the representations, in minutes on two cores. Every variable of the numbered scripts can
# be set here too. What is there already is not made again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export H="${H:-12}" W="${W:-16}" RUN_NAME="${RUN_NAME:-400K_llama}"
# So that the loss gets near the best there is in a minute or so.
export MAX_SEQS="${MAX_SEQS:-20000}" RECIPE="${RECIPE:-fast}"
export REPRESENTATIONS="${REPRESENTATIONS:-residual_before after_attention after_block ffn_gate ffn_up}"
source "$root/00_config_env.sh"

if [ ! -d "$DATA_DIR/dataset" ]; then
  "$root/01a_graph_generation.sh"
  "$root/01b_sequence_generation.sh"
  "$root/01c_dataset_preparation.sh"
else
  echo "The dataset exists already and is kept: $DATA_DIR/dataset (remove it to have it made anew)"
fi
"$root/02a_model_training.sh"
"$root/02b_representation_extraction.sh" </dev/null

program=$root/build/strider
if [ -f "$root/steps/program" ]; then program=$(readlink -m "$root/$(cat "$root/steps/program")"); fi

losses=$(python3 - "$WORK_DIR/strider_run.json" "$DATA_DIR/dataset/vocab_info.json" <<'END'
import json, sys
result, vocab = (json.load(open(file)) for file in sys.argv[1:])
loss, best = result["result"].get("eval_loss_per_prediction"), vocab.get("best_loss")
if loss is not None:
    print(f"Evaluation loss of the model: {loss:.4f} nats per predicted token", end="")
    print(f"; the best possible is {best:.4f}" if best is not None else "")
END
)

page=
if [ -f "$WORK_DIR/report.html" ]; then
  page="
See what the model learned: open this page in a browser, it needs no network
  xdg-open $(printf %q "$PWD/$WORK_DIR/report.html")
"
fi

cat <<END
==========================================
$losses
$page
All done. What is where, in $PWD:
  $DATA_DIR/graph/       the graph: edges, coordinates, distances
  $DATA_DIR/sequences/   the walks
  $DATA_DIR/dataset/     the same as a dataset folder (datasets.load_from_disk)
  $WORK_DIR/final_model/ the model (transformers: AutoModelForCausalLM)
  $WORK_DIR/trainer_state.json       its log
  $WORK_DIR/token_representations/   a vector for every token at every layer (numpy.load)

What to do next:
  - the full-size run, a 2M model on a torus of 30 x 40: the same scripts without variables,
      cd $(printf %q "$PWD")
      for step in 01a_graph_generation 01b_sequence_generation 01c_dataset_preparation 02a_model_training \\
        02b_representation_extraction; do $(printf %q "$root")/\$step.sh || break; done
  - another surface: export TOPOLOGY=klein_x H=20 W=20 before that
  - the README has the rest; $(printf %q "$program") --help lists the commands behind the scripts
END
