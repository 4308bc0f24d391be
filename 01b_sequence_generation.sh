#!/usr/bin/env bash
# Makes random walks on the graph that 01a_graph_generation.sh made.
set -euo pipefail

SCRIPT_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPT_DIR/00_config_env.sh"
source "$SCRIPT_DIR/scripts/front_door.sh"
refuse_list_of_surfaces

GRAPH_DIR="${GRAPH_DIR:-./${DATA_DIR}/graph}"
MAX_LENGTH="${MAX_LENGTH:-128}"
MAX_SEQS="${MAX_SEQS:-120000}"
MIN_VISITS_PER_NODE="${MIN_VISITS_PER_NODE:-10000000000}"
NO_REPEAT_WINDOW="${NO_REPEAT_WINDOW:-32}"
RESTART_PROB="${RESTART_PROB:-0}"
TEMPERATURE="${TEMPERATURE:-1}"
SEED="${SEED:-42}"
OUT="${OUT:-./${DATA_DIR}/sequences/walks_${DATASET_NAME}.csv}"
COUNTS_OUT="${COUNTS_OUT:-./${DATA_DIR}/sequences/visit_counts_${DATASET_NAME}.csv}"

heading "Random Walk Generation"
echo
echo "Configuration:"
echo "  Topology: $TOPOLOGY"
echo "  Grid size: ${H}x${W}"
echo "  Dataset: $DATASET_NAME"
echo "  Graph directory: $GRAPH_DIR"
echo "  Output: $OUT"
echo "  Counts output: $COUNTS_OUT"
echo
echo "Walk parameters:"
echo "  Max length: $MAX_LENGTH"
echo "  Max sequences: $MAX_SEQS"
echo "  Min visits per node: $MIN_VISITS_PER_NODE"
echo "  No-repeat window: $NO_REPEAT_WINDOW"
echo "  Restart probability: $RESTART_PROB"
echo "  Temperature: $TEMPERATURE"
echo "  Seed: $SEED"
echo

graph_file="$GRAPH_DIR/A_${DATASET_NAME}_labeled.csv"
if [ ! -f "$graph_file" ]; then
  echo "Error: Graph file not found: $graph_file" >&2
  echo "Please run ./01a_graph_generation.sh first to create the graph representation." >&2
  exit 1
fi

find_strider
echo "Generating random walks..."
"$STRIDER" walks \
  --graph_dir="$GRAPH_DIR" --topology="$TOPOLOGY" --H="$H" --W="$W" \
  --max_length="$MAX_LENGTH" --max_seqs="$MAX_SEQS" --min_visits_per_node="$MIN_VISITS_PER_NODE" \
  --no_repeat_window="$NO_REPEAT_WINDOW" --restart_prob="$RESTART_PROB" --temperature="$TEMPERATURE" --seed="$SEED" \
  --out="$OUT" --counts_out="$COUNTS_OUT"

echo
echo "Random walk generation complete!"
echo
echo "Output files:"
echo "  Walks: $OUT"
echo "  Visit counts: $COUNTS_OUT"
echo
echo "Next step: Prepare dataset with"
echo "  ./01c_dataset_preparation.sh"
echo
