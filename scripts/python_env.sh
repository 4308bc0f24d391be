#!/usr/bin/env bash
# Makes a private Python environment with pinned packages, or brings it up to date; does nothing when it is.
# Usage: python_env.sh FOLDER REQUIREMENTS...
set -euo pipefail

folder=${1:?usage: python_env.sh FOLDER REQUIREMENTS...}
shift
wanted=$(cat "$@" | sha256sum | cut -d' ' -f1)
stamp=$folder/.strider-pins

if [ -f "$stamp" ] && grep -qx "$wanted" "$stamp"; then
  exit 0
fi
if [ ! -x "$folder/bin/python" ]; then
  echo "Making the private Python environment $folder"
  python3 -m venv "$folder"
fi
arguments=()
for file in "$@"; do arguments+=(-r "$file"); done
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${arguments[@]}"
# One line a set of pins that is installed: a set that only builds and one that also tests stand side by side.
echo "$wanted" >> "$stamp"
