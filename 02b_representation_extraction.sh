#!/usr/bin/env bash
# Takes a vector for every token at every layer of the model that 02a_model_training.sh trained.
# REPRESENTATIONS, with spaces between: residual_before after_attention after_block ffn_gate ffn_up.
set -euo pipefail

SCRIPT_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPT_DIR/00_config_env.sh"
source "$SCRIPT_DIR/scripts/front_door.sh"
refuse_list_of_surfaces

MODEL_DIR="${MODEL_DIR:-./${WORK_DIR}/final_model}"
REPRESENTATION_DIR="${REPRESENTATION_DIR:-./${WORK_DIR}/token_representations}"
REPRESENTATIONS="${REPRESENTATIONS:-after_block}"
OVERWRITE="${OVERWRITE:-false}"

heading "Token Representation Extraction"
echo
echo "Configuration:"
echo "  Model: $MODEL_DIR"
echo "  Output dir: $REPRESENTATION_DIR"
echo "  Representations: $REPRESENTATIONS"
echo

if [ ! -d "$MODEL_DIR" ]; then
  echo "Error: Model directory $MODEL_DIR not found!" >&2
  echo "Please run ./02a_model_training.sh first" >&2
  exit 1
fi

options=(--model_dir="$MODEL_DIR" --output_dir="$REPRESENTATION_DIR" --representations="$REPRESENTATIONS" --ask)
if [ "$OVERWRITE" = true ]; then
  options+=(--overwrite)
elif [ "$OVERWRITE" != false ]; then
  echo "Error: OVERWRITE is \"$OVERWRITE\", it must be true or false" >&2
  exit 1
fi
if [ "${THREADS:-all}" != all ]; then options+=(--threads="$THREADS"); fi

find_strider
echo "Extracting token representations..."
"$STRIDER" extract "${options[@]}"
