#!/usr/bin/env bash
# Makes the dataset that training reads from a CSV file of walks: those of 01b_sequence_generation.sh, or your own.
set -euo pipefail

SCRIPT_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPT_DIR/00_config_env.sh"
source "$SCRIPT_DIR/scripts/front_door.sh"
refuse_list_of_surfaces

own_input="${INPUT_CSV:-}"
INPUT_CSV="${INPUT_CSV:-./${DATA_DIR}/sequences/walks_${DATASET_NAME}.csv}"
DATASET_DIR="${DATASET_DIR:-./${DATA_DIR}/dataset}"
TRAIN_SPLIT="${TRAIN_SPLIT:-0.95}"

heading "Dataset Preparation"
echo
echo "Configuration:"
echo "  Input CSV: $INPUT_CSV"
echo "  Output dir: $DATASET_DIR"
echo "  Train split: $TRAIN_SPLIT"
echo

if [ ! -e "$INPUT_CSV" ]; then
  echo "Error: Input CSV file not found: $INPUT_CSV" >&2
  if [ -n "$own_input" ]; then
    echo "Please name a file of walks with INPUT_CSV, or leave it out for those of ./01b_sequence_generation.sh" >&2
  else
    echo "Please run ./01b_sequence_generation.sh first" >&2
  fi
  exit 1
fi

find_strider
echo "Preparing dataset..."
"$STRIDER" dataset --input_csv="$INPUT_CSV" --output_dir="$DATASET_DIR" --train_split="$TRAIN_SPLIT"

echo
heading "Dataset preparation complete!"
echo
echo "Dataset saved to: $DATASET_DIR"
echo
echo "Next step: Train model with"
echo "  ./02a_model_training.sh"
echo
