#!/usr/bin/env bash
# All that an NVIDIA GPU is needed for, in one call that asks nothing: builds with GPU=1; tests kernels, engine and whole runs
# on the GPU; looks for wrong accesses and races with NVIDIA's compute-sanitizer where that is installed; times training steps,
# in turn with Hugging Face Trainer's, and prints the table.
# Usage: gpu.sh [option...]
#   --write FILE   put the table into FILE, such as docs/performance.md, if everything went well
#   --only checks|times
#   --no-peer      leave Hugging Face Trainer out; else PEERS_PYTHON (or python3) has torch, transformers and accelerate
#   --turns 3      how often everything is timed
#   --logs FOLDER  where the logs and what was measured go (measured.json, for bench/gpu.py) [build/gpu]
#   --built FILE   take the program and the tests from FILE and build nothing
#   --pack FILE    make such a file (.tar.gz), which needs no GPU, and do nothing else
# --pack and --built are for machines with a GPU where Strider's libraries cannot be installed. They need the same checkout, the
# same kind of processor, and a C library at least as new as where it was built.
# CUDA_HOME names the CUDA toolkit, CUDA_VISIBLE_DEVICES the GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  sed -n 's/^# \{0,1\}//; 5,/^CUDA_HOME/p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

fail() {
  echo "Error: $*" >&2
  exit 1
}

only=all
peer=${PEERS_PYTHON:-python3}
turns=3
logs=build/gpu
write=
built=
pack=
while [ $# -gt 0 ]; do
  case $1 in
    --no-peer)
      peer=
      shift
      continue
      ;;
    --write | --only | --turns | --logs | --built | --pack) [ $# -ge 2 ] || usage ;;
    *) usage ;;
  esac
  case $1 in
    --write) write=$2 ;;
    --only) only=$2 ;;
    --turns) turns=$2 ;;
    --logs) logs=$2 ;;
    --built) built=$2 ;;
    --pack) pack=$2 ;;
  esac
  shift 2
done
case $only in all | checks | times) ;; *) usage ;; esac

programs=(strider gpu_tests gpu_build_tests)

# The programs with the libraries that they load, without those of the C and C++ compiler, which every system has.
pack_into() {
  local file=$1 folder
  folder=$(mktemp -d)
  mkdir "$folder/lib"
  for program in "${programs[@]}"; do cp "build/$program" "$folder/"; done
  ldd "${programs[@]/#/build/}" | awk '$2 == "=>" { print $3 }' | sort -u |
    grep -vE '/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s)\.so' | xargs cp -t "$folder/lib"
  strip "${programs[@]/#/$folder/}" "$folder"/lib/*
  tar -czf "$file" -C "$folder" .
  rm -r "$folder"
  echo "$file has ${programs[*]} and their libraries, $(du -m "$file" | cut -f1) MB"
}

if [ -n "$pack" ]; then
  GPU=1 scripts/build.sh gpu
  pack_into "$pack"
  exit 0
fi

nvidia-smi -L 2>/dev/null | grep -q '^GPU ' || fail "this machine has no NVIDIA GPU, or no driver for it: nvidia-smi lists none"
if [ -n "$peer" ] && [ "$only" != checks ]; then
  "$peer" -c 'import accelerate, torch, transformers; assert torch.cuda.is_available()' 2>/dev/null || fail \
    "$peer has no torch that finds the GPU, or no transformers and accelerate; PEERS_PYTHON names another Python, --no-peer leaves HF Trainer out"
fi

mkdir -p "$logs"
if [ -n "$built" ]; then
  programs_folder=$(mktemp -d)
  trap 'rm -r "$programs_folder"' EXIT
  tar -xzf "$built" -C "$programs_folder"
  libraries=$programs_folder/lib
  library_path=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
else
  GPU=1 scripts/build.sh gpu
  programs_folder=build
  libraries=
  library_path=${LD_LIBRARY_PATH:-}
fi

# The program finds cuBLASLt in CUDA_HOME where the system's loader does not; the last place is where PyTorch keeps its own.
places=("$(dirname "$(dirname "$(readlink -f "$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)")")")")
if [ -n "$peer" ]; then
  while read -r place; do places+=("$place"); done < <(
    "$peer" -c 'import glob, importlib.util as u
for folder in getattr(u.find_spec("nvidia"), "submodule_search_locations", []): print(*glob.glob(folder + "/cu[0-9]*"), sep="\n")'
  )
fi
if [ -z "${CUDA_HOME:-}" ]; then
  for place in "${places[@]}"; do
    if compgen -G "$place/lib*/libcublasLt.so.*" >/dev/null; then
      export CUDA_HOME=$place
      break
    fi
  done
fi
sanitizer=$(command -v compute-sanitizer || echo "${places[0]}/bin/compute-sanitizer")

failed=()
# NAME SECONDS COMMAND...: its output goes into a log, of which the end is shown where it fails.
check() {
  local name=$1 limit=$2 began=$SECONDS code=0
  shift 2
  LD_LIBRARY_PATH=$library_path STRIDER_REQUIRE_GPU=1 STRIDER_GOLDEN=$PWD/tests/golden \
    timeout "$limit" "$@" >"$logs/$name.log" 2>&1 || code=$?
  if [ "$code" -eq 0 ]; then
    echo "$name: passed, $((SECONDS - began)) s. $(grep -hE '\[  (PASSED|SKIPPED) +\] [0-9]+ test|ERROR SUMMARY|RACECHECK SUMMARY' "$logs/$name.log" | tr '\n' ' ')"
  else
    echo "$name: FAILED, exit code $code (124: more than $limit s). The end of $logs/$name.log:"
    grep -vE '^\[ +(OK|SKIPPED) ' "$logs/$name.log" | tail -n 40
    failed+=("$name")
  fi
}

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | tee "$logs/gpu.txt"
if [ "$only" != times ]; then
  check gpu_build_tests 60 "$programs_folder/gpu_build_tests"
  check gpu_tests 300 "$programs_folder/gpu_tests"
  if [ -x "$sanitizer" ]; then
    # Whole runs would take long under it and launch nothing else. A failing call of CUDA is an error of the program's anyway,
    # but inside of cuBLASLt it may be a question.
    few="--gtest_filter=-*CudaRun.*:*GpuGoldenRun.*"
    check memcheck 300 "$sanitizer" --error-exitcode 9 --tool memcheck --report-api-errors no "$programs_folder/gpu_tests" "$few"
    # cuBLASLt's own kernels are not what is tested.
    check racecheck 300 "$sanitizer" --error-exitcode 9 --tool racecheck --kernel-name kns=strider "$programs_folder/gpu_tests" "$few"
  else
    echo "memcheck, racecheck: left out, since there is no compute-sanitizer on the PATH and none in the CUDA toolkit"
  fi
fi

if [ "$only" != checks ]; then
  options=(--turns "$turns" --keep "$logs/measured.json")
  if [ -n "$peer" ]; then options+=(--peer "$peer"); fi
  if [ -n "$libraries" ]; then options+=(--libraries "$libraries"); fi
  # Times of a program that computes something else are worth a look and no place in the page.
  if [ -n "$write" ] && [ ${#failed[@]} -eq 0 ]; then options+=(--write "$write"); fi
  python3 -B bench/gpu.py "$programs_folder/strider" "${options[@]}" || failed+=("times")
fi

if [ ${#failed[@]} -gt 0 ]; then fail "failed: ${failed[*]}"; fi
