#!/usr/bin/env bash
# Runs a sweep: every combination of what a YAML file lists, as docs/sweeps.md explains.
# Usage: sweep.sh SWEEP.yaml [OPTIONS OF SNAKEMAKE...]
#        sweep.sh my.yaml                                        on the cores of this machine
#        sweep.sh my.yaml --dry-run                              what would be done
#        sweep.sh my.yaml --profile workflow/profiles/slurm      on Slurm
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
sweep=${1:?usage: sweep.sh SWEEP.yaml [OPTIONS OF SNAKEMAKE...]}
shift
if [ ! -f "$sweep" ]; then
  echo "Error: there is no sweep $sweep; an example to copy: $here/workflow/sweep.yaml" >&2
  exit 1
fi
"$here/scripts/build.sh" program
"$here/scripts/python_env.sh" "$here/build/workflow" "$here/scripts/requirements-workflow.txt"

# On an executor of a cluster, jobs and not cores are limited.
cores=(--cores all)
for option in "$@"; do
  case $option in --cores | --cores=* | -c* | --jobs | --jobs=* | -j* | --profile | --profile=* | --executor | --executor=*) cores=() ;; esac
done
exec "$here/build/workflow/bin/snakemake" --snakefile "$here/workflow/Snakefile" --configfile "$sweep" "${cores[@]}" "$@"
