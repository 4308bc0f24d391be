#!/usr/bin/env bash
# The tests of sweeps on a real Slurm: sets up one of a single node on this machine, and takes it down again. As root.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/build.sh program
scripts/system_packages.sh cluster
scripts/python_env.sh build/workflow scripts/requirements-workflow.txt
folder=$(mktemp -d)
trap 'scripts/slurm_node.sh stop "$folder"; rm -rf "$folder"' EXIT
scripts/slurm_node.sh start "$folder"
build/workflow/bin/python -B tests/workflow/cluster_test.py
