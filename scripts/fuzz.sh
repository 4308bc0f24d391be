#!/usr/bin/env bash
# Builds the fuzzers (clang, libFuzzer, address and undefined-behaviour sanitizers) into build-asan/ and runs each from
# its seeds for so many seconds, as many at a time as there are processors. What they learn stays in build-fuzz/corpus/
# for the next time. An input that breaks a reader is kept in build-fuzz/findings/, and the exit code is 1.
# Usage: fuzz.sh SECONDS [target ...]      without targets: all of them
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-}
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: fuzz.sh SECONDS [target ...]" >&2
  exit 2
fi
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for source in fuzz/*_fuzzer.cpp; do
    name=${source#fuzz/}
    targets+=("${name%_fuzzer.cpp}")
  done
fi

scripts/system_packages.sh build test clang
scripts/python_env.sh build/python scripts/requirements-build.txt
mkdir -p build-asan build-fuzz/findings
cmake -S . --preset asan >build-asan/configure.log || {
  cat build-asan/configure.log
  exit 1
}
cmake --build build-asan --parallel "$(nproc)" --target "${targets[@]/#/fuzz_}"

# The small files of the golden data that a target reads, each under a name of its own; and fuzz/seeds/{target}/.
seeds_of() {
  local golden=() folder=$2
  mkdir -p "$folder"
  case $1 in
    json) golden=(-name '*.json' -size -8k) ;;
    config) golden=(-name 'config.json') ;;
    safetensors) golden=(-name 'model.safetensors' -size -128k) ;;
    arrow) golden=(-name '*.arrow' -size -8k) ;;
    walks_csv) golden=(-name 'walks_*.csv') ;;
  esac
  if [ ${#golden[@]} -gt 0 ]; then
    find tests/golden configs -type f "${golden[@]}" | while IFS= read -r file; do
      cp "$file" "$folder/${file//\//-}"
    done
  fi
  if [ -d "fuzz/seeds/$1" ]; then cp fuzz/seeds/"$1"/* "$folder"; fi
  if [ -z "$(ls -A "$folder")" ]; then
    echo "Error: no seeds for the target $1" >&2
    return 1
  fi
}

fuzz() {
  local target=$1 log=build-fuzz/findings/$1.log runs coverage
  mkdir -p "build-fuzz/corpus/$target"
  seeds_of "$target" "$scratch/$target" || return 1
  if TMPDIR=$scratch "build-asan/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -malloc_limit_mb=1024 -print_final_stats=1 -artifact_prefix="build-fuzz/findings/$target-" \
    "build-fuzz/corpus/$target" "$scratch/$target" >"$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    echo "$target: $runs inputs in $seconds s, $coverage places reached, nothing found"
  else
    echo "$target: BROKEN, see $log" >&2
    grep -E 'ERROR|SUMMARY|runtime error|Test unit written' "$log" >&2 || tail -n 20 "$log" >&2
    return 1
  fi
}

# In memory where that is possible: some readers want a folder, and a disk would only slow them down.
place=${TMPDIR:-/tmp}
if [ -w /dev/shm ]; then place=/dev/shm; fi
scratch=$(mktemp -d -p "$place")
trap 'rm -rf "$scratch"' EXIT
broken=0
running=0
for target in "${targets[@]}"; do
  if [ "$running" -ge "$(nproc)" ]; then
    wait -n || broken=$((broken + 1))
    running=$((running - 1))
  fi
  fuzz "$target" &
  running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
  wait -n || broken=$((broken + 1))
  running=$((running - 1))
done
if [ "$broken" -gt 0 ]; then
  echo "$broken of the readers broke; the inputs are in build-fuzz/findings/" >&2
  exit 1
fi
