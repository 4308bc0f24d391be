#!/usr/bin/env bash
# Makes the graph of a surface: nodes, edges, coordinates, distances. TOPOLOGY may be a list with commas, or all.
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

if is_list_of_surfaces; then
  # A folder for each surface, as if each had been called; the program puts the names in. GRAPH_DIR takes them all.
  DATASET_NAME="{name}"
  DATA_DIR="results/{name}"
fi
setting NEIGH neigh 8 "neighbours of a cell: 4, or 8 with the diagonal ones"
setting GRAPH_FROM from "" "a graph of your own instead: edge list, Matrix Market, GraphML, .npy or .npz; TOPOLOGY, H and W name it"
setting DIRECTED directed auto "true: the edges of GRAPH_FROM go one way; false: both ways; auto: as the file says, edge lists both ways"
place GRAPH_DIR output_dir "./$DATA_DIR/graph" "folder of the graph's files"
start "Makes the graph of a surface: edges, coordinates, distances. TOPOLOGY may be a list with commas, or all." "$@"

heading "Graph Generation"
say
say "Configuration:"
say "  Topology: $TOPOLOGY"
say "  Grid size: ${H}x${W}"
say "  Dataset: $DATASET_NAME"
if [ -n "$GRAPH_FROM" ]; then
  if [ -n "${is_given[NEIGH]:-}" ]; then
    fail "NEIGH is of surfaces, and GRAPH_FROM names a graph of your own" "Please set one of them"
  fi
  say "  From: $GRAPH_FROM"
else
  say "  Neighborhood: $NEIGH (4 or 8)"
fi
say "  Output directory: $GRAPH_DIR"
say

find_strider
say "Generating graph representation..."
collect_options
"$STRIDER" graph --H="$H" --W="$W" --topology="$TOPOLOGY" "${options[@]}"

say
say "Graph generation complete!"
say
say "Graph files saved to: $GRAPH_DIR"
name=$DATASET_NAME
if [ -n "$GRAPH_FROM" ]; then
  say "  - graph_${name}.npz (the graph, for scipy.sparse.load_npz)"
  say "  - graph_info_${name}.json (metadata)"
  say
  say "Next step: Generate random walks with"
  say "  $(command_line 01b_sequence_generation.sh GRAPH_DIR)"
  say
  exit 0
fi
say "  - A_${name}_labeled.csv (adjacency matrix with labels)"
say "  - A_${name}.npy (adjacency matrix)"
say "  - nodes_${name}.csv (node information)"
say "  - coords_${name}.csv (3D coordinates)"
say "  - coords_${name}.npy (coordinates)"
say "  - distance_matrix_${name}.npy (shortest path distances)"
say "  - graph_info_${name}.json (metadata)"
say
say "Next step: Generate random walks with"
if is_list_of_surfaces; then
  unset "user_set[TOPOLOGY]"
  say "  for t in $(list_surfaces); do TOPOLOGY=\$t $(command_line 01b_sequence_generation.sh GRAPH_DIR); done"
else
  say "  $(command_line 01b_sequence_generation.sh GRAPH_DIR)"
fi
say
