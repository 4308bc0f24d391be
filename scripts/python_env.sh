#!/usr/bin/env bash
# Makes a private Python environment with pinned packages, or brings it up to date; does nothing when it is.
# Usage: python_env.sh FOLDER REQUIREMENTS...
#        python_env.sh --beside ENVIRONMENT FOLDER REQUIREMENTS
# The second puts packages, without what they depend on, into a FOLDER for PYTHONPATH: other versions of what the
# ENVIRONMENT has.
set -euo pipefail

environment=
if [ "${1:-}" = --beside ]; then
  environment=${2:?usage: python_env.sh --beside ENVIRONMENT FOLDER REQUIREMENTS}
  shift 2
fi
folder=${1:?usage: python_env.sh FOLDER REQUIREMENTS...}
shift
# One stamp a set of requirements: the set that builds and the one that also tests share an environment.
stamp=$folder/.pins
for file in "$@"; do stamp+=-$(basename "$file" .txt); done
wanted=$({ python3 --version; cat "$@"; } | sha256sum | cut -d' ' -f1)

if [ -n "$environment" ]; then
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$folder"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder" -r "$1"
    echo "$wanted" > "$stamp"
  fi
  exit 0
fi
if [ -x "$folder/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi
# Also when an environment was left half made, or was made by another Python.
if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
  echo "Making the private Python environment $folder"
  python3 -m venv "$folder"
fi
arguments=()
for file in "$@"; do arguments+=(-r "$file"); done
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${arguments[@]}"
echo "$wanted" > "$stamp"
