# shellcheck shell=bash
# What the numbered scripts do alike. Sourced, after SCRIPT_DIR is set.

# A heading between two rules.
heading() {
  echo "=========================================="
  echo "$1"
  echo "=========================================="
}

# Sets STRIDER to the program, unless the user has: the one that `make build` made, else one on PATH.
find_strider() {
  if [ -n "${STRIDER:-}" ]; then
    if ! command -v "$STRIDER" >/dev/null; then
      echo "Error: STRIDER is \"$STRIDER\", and there is no such program" >&2
      exit 1
    fi
  elif [ -x "$SCRIPT_DIR/build/strider" ]; then
    STRIDER=$SCRIPT_DIR/build/strider
  elif command -v strider >/dev/null; then
    STRIDER=$(command -v strider)
  else
    echo "Error: the program strider is not built: neither $SCRIPT_DIR/build/strider nor one on PATH" >&2
    echo "Please run make build in $SCRIPT_DIR first" >&2
    exit 1
  fi
}

# Whether TOPOLOGY names several surfaces.
is_list_of_surfaces() {
  [[ $TOPOLOGY == *,* || $TOPOLOGY == all ]]
}

# The surfaces that TOPOLOGY names, with spaces between.
list_surfaces() {
  if [ "$TOPOLOGY" = all ]; then
    echo "plane cylinder_x cylinder_y mobius_x mobius_y torus klein_x klein_y proj_plane sphere_two hemisphere_n hemisphere_s sphere"
  else
    local names
    IFS=', ' read -r -a names <<<"$TOPOLOGY"
    echo "${names[*]}"
  fi
}

# Ends a script that takes one surface at a time, before it makes anything, where TOPOLOGY names several.
refuse_list_of_surfaces() {
  if is_list_of_surfaces; then
    echo "Error: TOPOLOGY is \"$TOPOLOGY\", and this step takes one surface at a time" >&2
    echo "  for t in $(list_surfaces); do TOPOLOGY=\$t $(printf %q "$0") || break; done" >&2
    exit 1
  fi
}
