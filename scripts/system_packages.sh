#!/usr/bin/env bash
# Installs the Debian and Ubuntu packages that are missing, through root or sudo; does nothing when none is.
# Usage: system_packages.sh build|test|bench|lint|clang|pages|coverage|mpi|cluster...
set -euo pipefail

packages=()
for use in "$@"; do
  case $use in
    build)
      packages+=(g++ cmake ninja-build ccache pkg-config python3 python3-venv libcli11-dev libfmt-dev
        nlohmann-json3-dev libeigen3-dev libzip-dev libhwy-dev libxsmm-dev libprotobuf-dev protobuf-compiler
        zlib1g-dev libpugixml-dev libjs-three libjs-d3)
      ;;
    test) packages+=(libgtest-dev librapidcheck-dev) ;;
    bench) packages+=(libbenchmark-dev) ;;
    lint) packages+=(clang-format clang-tidy shellcheck) ;;
    clang) packages+=(clang libclang-rt-dev llvm) ;;  # with libFuzzer, the sanitizers and what names places in reports
    pages) packages+=(chromium chromium-driver fonts-dejavu-core) ;;  # Debian alone: Ubuntu has the browser as a snap
    coverage) packages+=(gcovr) ;;
    mpi) packages+=(libopenmpi-dev openmpi-bin) ;;
    cluster) packages+=(slurm-wlm munge) ;;
    *)
      echo "usage: system_packages.sh build|test|bench|lint|clang|pages|coverage|mpi|cluster..." >&2
      exit 2
      ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "Error: this machine has no apt, so the set-up cannot see or install what it needs" >&2
  echo "Install what these Debian packages hold, then build with cmake and ninja: ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=absent
  if [ "$status" != installed ]; then missing+=("$package"); fi
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Error: missing packages, and neither root nor sudo to install them" >&2
    echo "Please have an administrator run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing ${missing[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
  >/dev/null; then
  echo "Error: apt could not install them; Debian 12 and Ubuntu 24.04 have all of them, older ones lack libxsmm-dev" >&2
  exit 1
fi
