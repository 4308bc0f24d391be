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
