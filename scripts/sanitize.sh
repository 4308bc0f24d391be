#!/usr/bin/env bash
# Builds with sanitizers (clang) and runs the tests under them. libxsmm's kernels are made at run time and Arrow's library
# comes built, so in those two nothing is checked but what they are given.
# Usage: sanitize.sh address    the whole suite, for memory errors and undefined behaviour, in build-asan/
#        sanitize.sh threads    what has threads (training, extraction, measuring, killed runs), for data races, in build-tsan/
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
case ${1:-} in
  address)
    preset=asan
    targets=(all)
    # Its millions of steps take minutes here, and the other scripts' tests run the same code.
    tests=(-E '^front_door_default_data$')
    ;;
  threads)
    preset=tsan
    targets=(strider base_tests geometry_tests engine_tests train_tests extract_tests)
    tests=(-R '^(base|geometry|engine|train|extract|reliability_kill)$')
    ;;
  *)
    echo "usage: sanitize.sh address|threads" >&2
    exit 2
    ;;
esac

# Minutes of plain arithmetic here, whose code other tests run too.
export GTEST_FILTER='-*CudaHeldNumbers.AreThoseThatTheHostWrites/2:*CudaHeldSteps.AnEvaluatorsSums*:*FiftyStepsEqualTheRecurrenceInFloat64*:*CudaRun.Resumes*:*CudaRun.Averages*:*CudaRun.DatasetOnTheGpu*:*CudaStates*:Laplacian.ThereAreNoneWhereNoFunctionIsSmootherThanAnother'

scripts/test_packages.sh clang
mkdir -p build-$preset
cmake -S . --preset $preset >build-$preset/configure.log || {
  cat build-$preset/configure.log
  exit 1
}
cmake --build build-$preset --parallel "$(nproc)" --target "${targets[@]}"
ctest --test-dir build-$preset --output-on-failure --parallel "$(nproc)" "${tests[@]}"
