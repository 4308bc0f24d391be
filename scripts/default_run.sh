#!/usr/bin/env bash
# A small run from the graph to the representations, in minutes on two cores. Every variable of the numbered scripts can
# be set here too. What is there already is not made again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export H="${H:-12}" W="${W:-16}" RUN_NAME="${RUN_NAME:-400K_llama}"
# Chosen so that in two minutes or so the loss gets near the best there is; 198 evaluates the last of the 1,188 steps.
export MAX_SEQS="${MAX_SEQS:-20000}" EPOCHS="${EPOCHS:-2}" BATCH_SIZE="${BATCH_SIZE:-32}"
export LEARNING_RATE="${LEARNING_RATE:-3e-3}" EVAL_STEPS="${EVAL_STEPS:-198}" SAVE_STEPS="${SAVE_STEPS:-198}"
export REPRESENTATIONS="${REPRESENTATIONS:-residual_before after_attention after_block ffn_gate ffn_up}"
source "$root/00_config_env.sh"

if [ ! -d "$DATA_DIR/dataset" ]; then
  "$root/01a_graph_generation.sh"
  "$root/01b_sequence_generation.sh"
  "$root/01c_dataset_preparation.sh"
else
  echo "The dataset is there already and stays as it is: $DATA_DIR/dataset (remove it to have it made anew)"
fi
"$root/02a_model_training.sh"
"$root/02b_representation_extraction.sh" </dev/null

cat <<END
==========================================
All done. What is where, in $PWD:
  $DATA_DIR/graph/       the graph: edges, coordinates, distances
  $DATA_DIR/sequences/   the walks
  $DATA_DIR/dataset/     the same as a dataset folder (datasets.load_from_disk)
  $WORK_DIR/final_model/ the model (transformers: AutoModelForCausalLM)
  $WORK_DIR/trainer_state.json       its log
  $WORK_DIR/token_representations/   a vector for every token at every layer (numpy.load)

What to do next:
  - the full-size run, a 2M model on a torus of 30 x 40: the same scripts without variables,
      ./01a_graph_generation.sh && ./01b_sequence_generation.sh && ./01c_dataset_preparation.sh
      ./02a_model_training.sh && ./02b_representation_extraction.sh
  - another surface: TOPOLOGY=klein_x H=20 W=20 before each of them
  - the README tells the rest; build/strider --help the commands behind the scripts
END
