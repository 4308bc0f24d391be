#!/usr/bin/env bash
# Compiles a file with nvcc and reads what ptxas says of it: fails where a kernel spills registers, and keeps a line for
# each kernel in OBJECT.kernels.
# Usage: nvcc.sh OBJECT NVCC OPTION...
set -euo pipefail
object=$1
shift
said=$object.said
if ! "$@" -o "$object" >"$said" 2>&1; then
  cat "$said" >&2
  rm -f "$object"
  exit 1
fi
awk '
  /Compiling entry function/ { split($0, quoted, "\x27"); kernel = quoted[2]; architecture = quoted[4] }
  /bytes spill stores/ {
    if (match($0, /[0-9]+ bytes spill stores/)) stores = substr($0, RSTART, RLENGTH) + 0
    if (match($0, /[0-9]+ bytes spill loads/)) loads = substr($0, RSTART, RLENGTH) + 0
  }
  /Used [0-9]+ registers/ {
    registers = $0; sub(/.*Used /, "", registers); sub(/ registers.*/, "", registers)
    shared = 0
    if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
    printf "%s %s: %d registers, %d bytes of shared memory, %d bytes spilled\n", architecture, kernel, registers, shared, stores + loads
    if (stores + loads > 0) spills = 1
  }
  # Whatever else is said is for whoever builds.
  !/^ptxas info/ && !/bytes stack frame/ && NF { print > "/dev/stderr" }
  END { exit spills }
' "$said" >"$object.kernels" || {
  echo "Error: a kernel spills registers:" >&2
  grep -v " 0 bytes spilled" "$object.kernels" >&2
  rm -f "$object"
  exit 1
}
