#!/usr/bin/env bash
# What all numbered scripts share: the grid, the surface and the names of folders. They read it with `source`; every
# variable that is already set stays as it is, but for the names that follow from others.

export H="${H:-30}" # rows of the grid
export W="${W:-40}" # columns

# plane, cylinder_x, cylinder_y, mobius_x, mobius_y, torus, klein_x, klein_y, proj_plane, sphere_two, hemisphere_n,
# hemisphere_s or sphere (`build/strider graph --help` says what each is glued from).
export TOPOLOGY="${TOPOLOGY:-torus}"
export DATASET_NAME="${TOPOLOGY}_${H}x${W}"

# Names a run, and the preset configs/config_{RUN_NAME}.json. A CONFIG of such a name gives the run's name.
if [ -z "${RUN_NAME:-}" ]; then
  RUN_NAME=2M_llama
  config_name=${CONFIG:-}
  config_name=${config_name##*/}
  if [[ $config_name == config_?*.json ]]; then
    config_name=${config_name#config_}
    RUN_NAME=${config_name%.json}
  fi
  unset config_name
fi
export RUN_NAME

# Both in the folder that a script is called from.
export DATA_DIR="results/${DATASET_NAME}"
export WORK_DIR="${DATA_DIR}/${RUN_NAME}"
