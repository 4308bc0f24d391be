#!/usr/bin/env bash
# Runs a command on one GPU, in a slot that no other such command has: so that at most SLOTS of them share a GPU.
# Usage: gpu_slot.sh GPU[,GPU...] SLOTS COMMAND [ARGUMENT...]
# GPUs are named as in CUDA_VISIBLE_DEVICES, which the command gets with one of them. With no slot free it waits.
#
# A slot is a lock on a file, which the command inherits: the kernel takes it back when the command ends, however it
# ends. The files are the user's on this machine, so that several sweeps share the slots. They are never removed: a
# lock on a removed file would keep nobody out.
set -euo pipefail

IFS=, read -r -a gpus <<<"${1:?usage: gpu_slot.sh GPU[,GPU...] SLOTS COMMAND [ARGUMENT...]}"
slots=${2:?usage: gpu_slot.sh GPU[,GPU...] SLOTS COMMAND [ARGUMENT...]}
shift 2

fail() {
  printf 'Error: %s\n' "$1" >&2
  exit 1
}

folder=${TMPDIR:-/tmp}/strider-gpus-$(id -u)
if ! mkdir -m 700 "$folder" 2>/dev/null && [ ! -d "$folder" ]; then fail "cannot make $folder, for the locks of GPUs"; fi
# In a folder for all users anyone can make one of this name.
if [ -L "$folder" ] || [ ! -O "$folder" ]; then fail "$folder, for the locks of GPUs, belongs to somebody else"; fi

taken=9 # what flock exits with where another has the lock; anything else but 0 is an error of its own
is_waiting=false
while true; do
  # First a slot of each GPU, then the second of each: runs spread over the GPUs.
  for ((slot = 1; slot <= slots; slot++)); do
    for gpu in "${gpus[@]}"; do
      exec {lock}>"$folder/${gpu//\//_}.$slot.lock"
      status=0
      flock --nonblock --conflict-exit-code "$taken" "$lock" || status=$?
      if [ "$status" -eq 0 ]; then
        printf 'GPU %s, slot %s of %s\n' "$gpu" "$slot" "$slots"
        export CUDA_VISIBLE_DEVICES=$gpu
        exec "$@"
      fi
      exec {lock}>&-
      if [ "$status" -ne "$taken" ]; then fail "cannot lock a file in $folder; set TMPDIR to a folder on a local disk"; fi
    done
  done
  if ! $is_waiting; then
    is_waiting=true
    printf 'Waiting for a slot: other runs have all %s of each GPU of %s (locks in %s)\n' "$slots" "${gpus[*]}" "$folder"
  fi
  sleep 1
done
