#!/usr/bin/env bash
# Makes the dataset that training reads from a CSV file of walks: those of 01b_sequence_generation.sh, or your own.
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

place INPUT_CSV input_csv "./$DATA_DIR/sequences/walks_$DATASET_NAME.csv" "the walks, columns walk_id, length, sequence_labels"
setting FROM from "" "walks in another kind of file instead: plain text, CSV, JSON lines, Parquet; also .gz, .zst"
setting COLUMN column "" "the column or field of FROM that has the walks"
place DATASET_DIR output_dir "./$DATA_DIR/dataset" "the dataset"
setting TRAIN_SPLIT train_split 0.95 "share of the walks that train; 1: no validation"
start "Makes a dataset, with a training and a validation split, from walks in a CSV file." "$@"
refuse_list_of_surfaces

heading "Dataset Preparation"
say
say "Configuration:"
if [ -n "$FROM" ]; then
  if [ -n "${user_set[INPUT_CSV]:-}" ]; then fail "INPUT_CSV and FROM both name walks" "Please set one of them"; fi
  INPUT_CSV=
  say "  Walks: $FROM"
else
  say "  Input CSV: $INPUT_CSV"
fi
say "  Output dir: $DATASET_DIR"
say "  Train split: $TRAIN_SPLIT"
say

if [ -n "$FROM" ] && [ ! -e "$FROM" ]; then fail "FROM is not found: $FROM"; fi
if [ -z "$FROM" ] && [ ! -e "$INPUT_CSV" ]; then
  if [ -n "${user_set[INPUT_CSV]:-}" ]; then
    fail "Input CSV file not found: $INPUT_CSV" \
      "Please name a file of walks with INPUT_CSV, or leave it out for those of 01b_sequence_generation.sh"
  fi
  fail "Input CSV file not found: $INPUT_CSV" "Please run $(command_line 01b_sequence_generation.sh) first"
fi

find_strider
say "Preparing dataset..."
collect_options
"$STRIDER" dataset "${options[@]}"

say
heading "Dataset preparation complete!"
say
say "Dataset saved to: $DATASET_DIR"
say
say "Next step: Train model with"
say "  $(command_line 02a_model_training.sh RUN_NAME CONFIG DATASET_DIR OUTPUT_DIR)"
say
