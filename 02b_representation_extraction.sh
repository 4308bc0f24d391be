#!/usr/bin/env bash
# Takes a vector for every token at every layer of the model that 02a_model_training.sh trained.
# REPRESENTATIONS, with spaces between: residual_before after_attention after_block ffn_gate ffn_up.
set -euo pipefail

# Batch systems run a copy of the script in a folder of their own; its neighbours are where it was submitted.
SCRIPT_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
for place in "$SCRIPT_DIR" "${SLURM_SUBMIT_DIR:-}" "${PBS_O_WORKDIR:-}" "${SGE_O_WORKDIR:-}" "${LS_SUBCWD:-}"; do
  if [ -n "$place" ] && [ -f "$place/steps/front_door.sh" ]; then break; fi
done
if [ ! -f "${place:-.}/steps/front_door.sh" ]; then
  echo "Error: the files of Strider are neither beside $0 nor where the job was submitted" >&2
  echo "Submit the script by its path: sbatch --wrap /path/to/strider/${0##*/}" >&2
  exit 1
fi
SCRIPT_DIR=$place
source "$SCRIPT_DIR/steps/front_door.sh"

# LLM-Topo's later versions have other names for UPSAMPLE and UPSAMPLE_SEED, spelled as here.
# reference_name NAME OTHER VALUE: gives NAME the value that OTHER has for it, if any.
reference_name() {
  if [ -z "$3" ]; then return; fi
  if [ "${!1:-$3}" != "$3" ]; then fail "$1 is ${!1}, and $2 says $3" "Please set only one of them"; fi
  printf -v "$1" '%s' "$3"
}
case ${REPRESENTATION_UPSEAMPLE:-${REPRESENTATION_UPSEAMPLE_N:+true}} in
  true) reference_name UPSAMPLE "REPRESENTATION_UPSEAMPLE (with _N)" "${REPRESENTATION_UPSEAMPLE_N:-100}" ;;
  false) reference_name UPSAMPLE REPRESENTATION_UPSEAMPLE 0 ;;
  "") ;;
  *) fail "REPRESENTATION_UPSEAMPLE is \"$REPRESENTATION_UPSEAMPLE\", it must be true or false" ;;
esac
reference_name UPSAMPLE_SEED REPRESENTATION_UPSEAMPLE_SEED "${REPRESENTATION_UPSEAMPLE_SEED:-}"

place MODEL_DIR model_dir "./$WORK_DIR/final_model" "the model"
place REPRESENTATION_DIR output_dir "./$WORK_DIR/token_representations" "where they go"
setting REPRESENTATIONS representations after_block "residual_before after_attention after_block ffn_gate ffn_up, any of them, spaces between"
setting UPSAMPLE upsample 0 "take each token at so many places in the training walks, and the mean; 0: alone"
setting UPSAMPLE_SEED upsample_seed 42 "draws the places"
setting UPSAMPLE_RAW upsample_raw true "false: only the means, not the single vectors"
place DATASET_DIR dataset_dir "./$DATA_DIR/dataset" "the training walks, for UPSAMPLE"
setting PRECISION precision float32 "float32 or bfloat16; auto, which is for training, is float32 here"
setting DEVICE device cpu "cpu; cuda, one NVIDIA GPU or an error; or auto: the GPU where there is one"
setting OVERWRITE overwrite false "true: replace what is there"
setting THREADS threads all "threads"
setting RANKS ranks auto "auto: the processes that mpirun or srun has started share the walks of UPSAMPLE; alone: each extracts by itself"
setting RANK_TIMEOUT rank_timeout 300 "with mpirun: seconds that ranks wait for one that gives no sign"
variable CHECKPOINTS false "true: also of every checkpoint of the run, in representations_by_step beside final_model"
variable PROJECTOR false "true: also as tables for TensorBoard's Projector, in LOG_DIR"
variable REPORT true "also show the whole run in one page, report.html beside final_model; false: no page"
start "Takes a vector for every token at every layer of a trained model." "$@"
refuse_list_of_surfaces
case $CHECKPOINTS in true | false) ;; *) fail "CHECKPOINTS is \"$CHECKPOINTS\", it must be true or false" ;; esac
case $PROJECTOR in true | false) ;; *) fail "PROJECTOR is \"$PROJECTOR\", it must be true or false" ;; esac
case $REPORT in true | false) ;; *) fail "REPORT is \"$REPORT\", it must be true or false" ;; esac

heading "Token Representation Extraction"
say
say "Configuration:"
say "  Model: $MODEL_DIR"
say "  Output dir: $REPRESENTATION_DIR"
say "  Representations: $REPRESENTATIONS"
if [ "$UPSAMPLE" != 0 ]; then say "  Upsample: $UPSAMPLE places of each token in $DATASET_DIR (seed $UPSAMPLE_SEED)"; fi
say

if [ ! -d "$MODEL_DIR" ]; then
  if [ -n "${user_set[MODEL_DIR]:-}" ]; then
    fail "Model directory $MODEL_DIR not found!" "Please name a model folder with MODEL_DIR"
  fi
  fail "Model directory $MODEL_DIR not found!" "Please run $(command_line 02a_model_training.sh RUN_NAME CONFIG) first"
fi
if [ "$UPSAMPLE" != 0 ] && [ ! -d "$DATASET_DIR" ]; then
  fail "Dataset directory $DATASET_DIR not found! UPSAMPLE=$UPSAMPLE takes places of its training walks" \
    "Please run $(command_line 01c_dataset_preparation.sh DATASET_DIR) first, or set UPSAMPLE=0"
fi

find_strider
say "Extracting token representations..."
collect_options
if [ "$PROJECTOR" = true ]; then options+=(--projector_dir "${LOG_DIR:-$(dirname "$MODEL_DIR")}"); fi
"$STRIDER" extract "${options[@]}" --ask
# Of several processes the first does the rest.
if [ "$RANKS" = auto ] && ! $speaks; then exit 0; fi

run=$(dirname "$MODEL_DIR")
if [ "$CHECKPOINTS" = true ]; then
  say
  "$STRIDER" extract --checkpoints --model_dir "$run" --representations "$REPRESENTATIONS" --overwrite "$OVERWRITE" \
    --threads "$THREADS"
fi

# A model from elsewhere has no run to show.
if [ "$REPORT" = false ] || [ "$(basename "$MODEL_DIR")" != final_model ] || [ ! -f "$run/trainer_state.json" ]; then
  exit 0
fi
say
say "Writing a page that shows the run..."
page=(--representations "$REPRESENTATION_DIR" --threads "$THREADS")
if [ -n "${user_set[DATASET_DIR]:-}" ]; then page+=(--dataset_dir "$DATASET_DIR"); fi
if [ -n "${user_set[GRAPH_DIR]:-}" ]; then page+=(--graph_dir "$GRAPH_DIR"); fi
if [ -n "${LOG_DIR:-}" ]; then page+=(--logging_dir "$LOG_DIR"); fi
# The representations are whole, whatever becomes of the page.
"$STRIDER" report "$run" "${page[@]}" || say "The representations are there all the same; REPORT=false makes no page."
