#!/usr/bin/env bash
# Sets up what building needs and builds into build/.
# Usage: build.sh program     build/strider alone
#        build.sh tests       the program and every test
#        build.sh bench       the program and the benchmarks
#        build.sh gpu         the program and the tests that need a GPU, with GPU=1
# GPU=1 adds the engine for NVIDIA GPUs, with the CUDA toolkit of the system or of pinned wheels; GPU=0 takes it out again;
# without either a tree stays as it is. MPI=1 and MPI=0 are the same for what lets several processes train one model, with
# the system's MPI, or Debian's Open MPI.
# A new tree compiles each target as one source, which is sooner done from nothing; STRIDER_UNITY=OFF is for whoever
# changes files and builds often. It holds until it is set again.
# STRIDER_WARNINGS_AS_ERRORS=ON (off by default, since a newer compiler has other warnings) is for whoever changes it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=$(nproc)
case ${1:-} in
  program)
    scripts/system_packages.sh build
    scripts/python_env.sh build/python scripts/requirements-build.txt
    options=()
    # A tree that has its tests configured keeps them: only the target is smaller.
    if [ ! -f build/CMakeCache.txt ]; then options=(-DSTRIDER_TESTS=OFF); fi
    targets=(strider)
    ;;
  tests)
    scripts/test_packages.sh
    options=(-DSTRIDER_TESTS=ON)
    targets=(all)
    ;;
  bench)
    scripts/system_packages.sh build bench
    scripts/python_env.sh build/python scripts/requirements-build.txt scripts/requirements-bench.txt
    options=(-DSTRIDER_BENCH=ON)
    if [ ! -f build/CMakeCache.txt ]; then options+=(-DSTRIDER_TESTS=OFF); fi
    targets=(all)
    ;;
  gpu)
    scripts/system_packages.sh build test
    scripts/python_env.sh build/python scripts/requirements-build.txt
    options=(-DSTRIDER_TESTS=ON)
    targets=(strider gpu_tests gpu_build_tests)
    ;;
  *)
    echo "usage: build.sh program|tests|bench|gpu" >&2
    exit 2
    ;;
esac

case ${GPU:-} in
  "") ;;
  0) options+=(-DSTRIDER_GPU=OFF) ;;
  1)
    options+=(-DSTRIDER_GPU=ON)
    if ! command -v nvcc >/dev/null && [ ! -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ]; then
      scripts/python_env.sh build/cuda_toolkit scripts/requirements-gpu.txt
      wheels=$(build/cuda_toolkit/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
      options+=(-DSTRIDER_CUDA_ROOT="$wheels/nvidia/cu13")
    fi
    ;;
  *)
    echo "Error: GPU=$GPU; 1 builds the engine for NVIDIA GPUs, 0 leaves it out" >&2
    exit 2
    ;;
esac

case ${MPI:-} in
  "") ;;
  0) options+=(-DSTRIDER_MPI=OFF) ;;
  1)
    options+=(-DSTRIDER_MPI=ON)
    # Any MPI of the system does.
    if ! command -v mpicxx >/dev/null; then scripts/system_packages.sh mpi; fi
    ;;
  *)
    echo "Error: MPI=$MPI; 1 lets several processes train one model, 0 leaves it out" >&2
    exit 2
    ;;
esac

# A folder that was copied or moved has the configuration of the one that it was made in.
if [ -f build/CMakeCache.txt ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" build/CMakeCache.txt; then
  echo "build/ was configured in another folder; configuring it anew"
  rm -rf build/CMakeCache.txt build/CMakeFiles build/build.ninja
fi

if [ -n "${STRIDER_UNITY:-}" ]; then
  options+=(-DSTRIDER_UNITY="$STRIDER_UNITY")
elif [ ! -f build/CMakeCache.txt ]; then
  options+=(-DSTRIDER_UNITY=ON)
fi

cmake -S . -B build -G Ninja -DSTRIDER_WARNINGS_AS_ERRORS="${STRIDER_WARNINGS_AS_ERRORS:-OFF}" "${options[@]}" >build/configure.log || {
  cat build/configure.log
  exit 1
}
cmake --build build --parallel "$jobs" --target "${targets[@]}"
