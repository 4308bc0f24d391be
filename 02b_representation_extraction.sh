#!/usr/bin/env bash
# Takes a vector for every token at every layer of the model that 02a_model_training.sh trained.
# REPRESENTATIONS, with spaces between: residual_before after_attention after_block ffn_gate ffn_up.
set -euo pipefail

# Batch systems run a copy of the script in a folder of their own; its neighbours are where it was submitted.
SCRIPT_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
for place in "$SCRIPT_DIR" "${SLURM_SUBMIT_DIR:-}" "${PBS_O_WORKDIR:-}" "${SGE_O_WORKDIR:-}" "${LS_SUBCWD:-}"; do
  if [ -n "$place" ] && [ -f "$place/steps/front_door.sh" ]; then break; fi
done
if [ ! -f "${place:-.}/steps/front_door.sh" ]; then
  echo "Error: the files of Strider are neither beside $0 nor where the job was submitted" >&2
  echo "Submit the script by its path: sbatch --wrap /path/to/strider/${0##*/}" >&2
  exit 1
fi
SCRIPT_DIR=$place
source "$SCRIPT_DIR/steps/front_door.sh"

setting MODEL_DIR model_dir "./$WORK_DIR/final_model" "the model"
setting REPRESENTATION_DIR output_dir "./$WORK_DIR/token_representations" "where they go"
setting REPRESENTATIONS representations after_block "residual_before after_attention after_block ffn_gate ffn_up, any of them, spaces between"
setting OVERWRITE overwrite false "true: replace what is there"
setting THREADS threads all "threads"
start "Takes a vector for every token at every layer of a trained model." "$@"
refuse_list_of_surfaces

heading "Token Representation Extraction"
say
say "Configuration:"
say "  Model: $MODEL_DIR"
say "  Output dir: $REPRESENTATION_DIR"
say "  Representations: $REPRESENTATIONS"
say

if [ ! -d "$MODEL_DIR" ]; then
  if [ -n "${user_set[MODEL_DIR]:-}" ]; then
    fail "Model directory $MODEL_DIR not found!" "Please name a model folder with MODEL_DIR"
  fi
  fail "Model directory $MODEL_DIR not found!" "Please run $(command_line 02a_model_training.sh RUN_NAME CONFIG) first"
fi

find_strider
say "Extracting token representations..."
collect_options
"$STRIDER" extract "${options[@]}" --ask
