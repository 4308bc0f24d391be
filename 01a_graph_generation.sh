#!/usr/bin/env bash
# Makes the graph of a surface: nodes, edges, coordinates, distances. TOPOLOGY may be a list with commas, or all.
set -euo pipefail

SCRIPT_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPT_DIR/00_config_env.sh"
source "$SCRIPT_DIR/scripts/front_door.sh"

if is_list_of_surfaces; then
  # A folder for each surface, as if each had been called; the program puts the names in. GRAPH_DIR takes them all.
  DATASET_NAME="{name}"
  DATA_DIR="results/{name}"
fi
shared_dir="${GRAPH_DIR:-}"
GRAPH_DIR="${GRAPH_DIR:-./${DATA_DIR}/graph}"
NEIGH="${NEIGH:-8}"

heading "Graph Generation"
echo
echo "Configuration:"
echo "  Topology: $TOPOLOGY"
echo "  Grid size: ${H}x${W}"
echo "  Dataset: $DATASET_NAME"
echo "  Neighborhood: $NEIGH (4 or 8)"
echo "  Output directory: $GRAPH_DIR"
echo

find_strider
echo "Generating graph representation..."
"$STRIDER" graph --H="$H" --W="$W" --topology="$TOPOLOGY" --neigh="$NEIGH" --output_dir="$GRAPH_DIR"

echo
echo "Graph generation complete!"
echo
echo "Graph files saved to: $GRAPH_DIR"
name=$DATASET_NAME
next="./01b_sequence_generation.sh"
if is_list_of_surfaces; then
  if [ -n "$shared_dir" ]; then next="GRAPH_DIR=$(printf %q "$shared_dir") $next"; fi
  next="for t in $(list_surfaces); do TOPOLOGY=\$t $next; done"
fi
echo "  - A_${name}_labeled.csv (adjacency matrix with labels)"
echo "  - A_${name}.npy (adjacency matrix)"
echo "  - nodes_${name}.csv (node information)"
echo "  - coords_${name}.csv (3D coordinates)"
echo "  - coords_${name}.npy (coordinates)"
echo "  - distance_matrix_${name}.npy (shortest path distances)"
echo "  - graph_info_${name}.json (metadata)"
echo
echo "Next step: Generate random walks with"
echo "  $next"
echo
