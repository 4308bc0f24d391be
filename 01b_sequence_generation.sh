#!/usr/bin/env bash
# Makes random walks on the graph that 01a_graph_generation.sh made.
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

place GRAPH_DIR graph_dir "./$DATA_DIR/graph" "folder of the graph's files"
setting MAX_LENGTH max_length 128 "nodes of a walk"
setting MAX_SEQS max_seqs 120000 "walks"
setting MIN_VISITS_PER_NODE min_visits_per_node 10000000000 "stop once every node has so many visits"
setting NO_REPEAT_WINDOW no_repeat_window 32 "a walk steps to none of its last so many nodes while it has another choice"
setting RESTART_PROB restart_prob 0 "probability of starting anew before a step"
setting TEMPERATURE temperature 1 "how strongly starts prefer nodes with few visits; lower is stronger"
setting START start visits "where walks start: visits, at nodes with few visits; for large graphs visits-tree, uniform, degree"
setting SEED seed 42 "seed of the walks"
place OUT out "./$DATA_DIR/sequences/walks_$DATASET_NAME.csv" "the walks"
place COUNTS_OUT counts_out "./$DATA_DIR/sequences/visit_counts_$DATASET_NAME.csv" "the visits of each node"
setting OVERWRITE overwrite false "true: replace walks of other settings"
start "Makes random walks on the graph of 01a_graph_generation.sh, or on a graph of your own." "$@"
refuse_list_of_surfaces

heading "Random Walk Generation"
say
say "Configuration:"
say "  Topology: $TOPOLOGY"
say "  Grid size: ${H}x${W}"
say "  Dataset: $DATASET_NAME"
say "  Graph directory: $GRAPH_DIR"
say "  Output: $OUT"
say "  Counts output: $COUNTS_OUT"
say
say "Walk parameters:"
say "  Max length: $MAX_LENGTH"
say "  Max sequences: $MAX_SEQS"
say "  Min visits per node: $MIN_VISITS_PER_NODE"
say "  No-repeat window: $NO_REPEAT_WINDOW"
say "  Restart probability: $RESTART_PROB"
say "  Temperature: $TEMPERATURE"
if [ "$START" != visits ]; then say "  Start: $START"; fi
say "  Seed: $SEED"
say

graph_file="$GRAPH_DIR/A_${DATASET_NAME}_labeled.csv"
if [ ! -f "$graph_file" ] && [ ! -f "$GRAPH_DIR/graph_${DATASET_NAME}.npz" ]; then
  fail "Graph file not found: $graph_file" \
    "Please run $(command_line 01a_graph_generation.sh GRAPH_DIR) first to create the graph representation."
fi

find_strider
say "Generating random walks..."
collect_options
"$STRIDER" walks --topology="$TOPOLOGY" --H="$H" --W="$W" "${options[@]}"

say
say "Random walk generation complete!"
say
say "Output files:"
say "  Walks: $OUT"
say "  Visit counts: $COUNTS_OUT"
say
input=()
if [ -n "${user_set[OUT]:-}" ]; then input=("INPUT_CSV=$OUT"); fi
say "Next step: Prepare dataset with"
say "  $(command_line 01c_dataset_preparation.sh "${input[@]}" DATASET_DIR)"
say
