#!/usr/bin/env bash
# Trains a Llama on the dataset that 01c_dataset_preparation.sh made. The README explains every variable.
set -euo pipefail

# Batch systems run a copy of the script in a folder of their own; its neighbours are where it was submitted.
SCRIPT_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
for place in "$SCRIPT_DIR" "${SLURM_SUBMIT_DIR:-}" "${PBS_O_WORKDIR:-}" "${SGE_O_WORKDIR:-}" "${LS_SUBCWD:-}"; do
  if [ -n "$place" ] && [ -f "$place/scripts/front_door.sh" ]; then break; fi
done
if [ ! -f "${place:-.}/scripts/front_door.sh" ]; then
  echo "Error: the files of Strider are neither beside $0 nor where the job was submitted" >&2
  echo "Submit the script by its path: sbatch --wrap /path/to/strider/${0##*/}" >&2
  exit 1
fi
SCRIPT_DIR=$place
source "$SCRIPT_DIR/scripts/front_door.sh"

variable CONFIG "configs/config_$RUN_NAME.json" "a Llama config.json; looked up where you are, then beside the script"
variable DATASET_DIR "./$DATA_DIR/dataset" "the dataset"
variable OUTPUT_DIR "./$WORK_DIR" "checkpoints, final_model, log"
variable EPOCHS 1 "passes over the training walks; 0.5 is half of one"
variable BATCH_SIZE 50 "walks in a micro-batch"
variable GRAD_ACCUM 1 "micro-batches in an optimizer step"
variable LEARNING_RATE 5e-4 "peak learning rate"
variable MAX_LENGTH 128 "longer walks are cut"
help_names+=(SAVE_STEPS EVAL_STEPS)
help_defaults+=(200 200)
help_meanings+=("steps between checkpoints; set alone, EVAL_STEPS follows" "steps between evaluations; set alone, SAVE_STEPS follows")
variable LOGGING_STEPS 10 "steps between log entries"
variable LOG_DIR "$OUTPUT_DIR" "where metrics.jsonl goes"
variable USE_CPU false "for a GPU to come; this version trains on the CPU either way"

# What the reference fixes or does not have.
variable SEED 42 "starting weights and order of walks"
variable INIT_FROM "" "a model folder to start from"
variable MAX_STEPS 0 "the run and its schedule end there; 0: after all epochs"
variable WARMUP_STEPS 50 "steps in which the learning rate rises from 0"
variable LR_SCHEDULER linear "linear, cosine, or constant (without warmup)"
variable OPTIMIZER adamw "adamw; or sgd, stochastic gradient descent with momentum"
variable MOMENTUM 0.9 "of sgd"
variable WEIGHT_DECAY 0.01 "of the optimizer, on matrices and embeddings"
variable MAX_GRAD_NORM 1.0 "gradients are clipped to this norm; 0: not"
variable SAVE_TOTAL_LIMIT 2 "checkpoints to keep, the newest and the best among them; or all"
variable LOSS_DENOMINATOR predictions "predictions: the mean over predicted tokens; labels: as transformers 4.57.1 shows it"
variable THREADS all "threads; results do not depend on it"
variable PRECISION float32 "operands of matrix products: float32, bfloat16, or auto"
variable FINAL_EVALUATION false "true: evaluate the last step too"
variable RESUME auto "auto: go on with an interrupted run of the same settings; never"
variable OVERWRITE false "true: replace a finished run, or one of other settings; with RESUME=never any run"
variable CONTINUE false "true: go on from the newest checkpoint of a run with another schedule"
start "Trains a Llama on a dataset of walks: checkpoints, final_model and log in OUTPUT_DIR." "$@"
refuse_list_of_surfaces

# The presets are beside this script, the user's own configurations where the script is called.
if [[ $CONFIG != /* && ! -e $CONFIG && -e $SCRIPT_DIR/$CONFIG ]]; then
  CONFIG=$SCRIPT_DIR/$CONFIG
fi

heading "Model Training"
say
say "Configuration:"
say "  Model config: $CONFIG"
say "  Dataset dir: $DATASET_DIR"
say "  Output dir: $OUTPUT_DIR"
say "  Epochs: $EPOCHS"
say "  Batch size: $BATCH_SIZE"
say "  Gradient accumulation: $GRAD_ACCUM"
say "  Learning rate: $LEARNING_RATE"
say "  Max length: $MAX_LENGTH"
say "  Save steps: ${SAVE_STEPS:-200}"
say "  Eval steps: ${EVAL_STEPS:-200}"
say "  Logging steps: $LOGGING_STEPS"
say "  Logging dir: $LOG_DIR"
say "  Device: CPU"
say "  Seed: $SEED"
if [ -n "$INIT_FROM" ]; then say "  Start from: $INIT_FROM"; fi
if [ "$MAX_STEPS" != 0 ]; then say "  Max steps: $MAX_STEPS"; fi
say "  Schedule: $LR_SCHEDULER, $WARMUP_STEPS steps of warmup"
if [ "$OPTIMIZER" = sgd ]; then say "  Optimizer: sgd, momentum $MOMENTUM"; else say "  Optimizer: $OPTIMIZER"; fi
say "  Weight decay: $WEIGHT_DECAY"
say "  Max gradient norm: $MAX_GRAD_NORM"
say "  Checkpoints kept: $SAVE_TOTAL_LIMIT"
say "  Loss denominator: $LOSS_DENOMINATOR"
say "  Threads: $THREADS"
say "  Precision: $PRECISION"
say

if [ ! -d "$DATASET_DIR" ]; then
  if [ -n "${user_set[DATASET_DIR]:-}" ]; then
    fail "Dataset directory $DATASET_DIR not found!" \
      "Please name a dataset folder with DATASET_DIR, or make this one with $(command_line 01c_dataset_preparation.sh DATASET_DIR)"
  fi
  fail "Dataset directory $DATASET_DIR not found!" "Please run $(command_line 01c_dataset_preparation.sh) first"
fi
if [ ! -f "$CONFIG" ]; then
  presets=()
  for preset in "$SCRIPT_DIR"/configs/config_*.json; do presets+=("  configs/${preset##*/}"); done
  fail "Model config $CONFIG not found, neither here nor beside this script!" \
    "Please name one with CONFIG or RUN_NAME; the presets are" "${presets[@]}"
fi

find_strider
options=(
  --dataset_dir="$DATASET_DIR" --config="$CONFIG" --output_dir="$OUTPUT_DIR"
  --epochs="$EPOCHS" --batch_size="$BATCH_SIZE" --gradient_accumulation_steps="$GRAD_ACCUM"
  --learning_rate="$LEARNING_RATE" --max_length="$MAX_LENGTH"
  --logging_steps="$LOGGING_STEPS" --logging_dir="$LOG_DIR"
  --seed="$SEED" --max_steps="$MAX_STEPS" --warmup_steps="$WARMUP_STEPS" --lr_scheduler="$LR_SCHEDULER"
  --optimizer="$OPTIMIZER" --momentum="$MOMENTUM" --weight_decay="$WEIGHT_DECAY" --max_grad_norm="$MAX_GRAD_NORM"
  --save_total_limit="$SAVE_TOTAL_LIMIT" --loss_denominator="$LOSS_DENOMINATOR"
  --threads="$THREADS" --precision="$PRECISION" --final_evaluation="$FINAL_EVALUATION"
  --resume="$RESUME" --overwrite="$OVERWRITE" --continue="$CONTINUE" --no_cuda="$USE_CPU"
)
if [ -n "${SAVE_STEPS:-}" ]; then options+=(--save_steps="$SAVE_STEPS"); fi
if [ -n "${EVAL_STEPS:-}" ]; then options+=(--eval_steps="$EVAL_STEPS"); fi
if [ -n "$INIT_FROM" ]; then options+=(--init_from="$INIT_FROM"); fi
model=()
if [ -n "${user_set[OUTPUT_DIR]:-}" ]; then
  model=("MODEL_DIR=$OUTPUT_DIR/final_model" "REPRESENTATION_DIR=${REPRESENTATION_DIR:-$OUTPUT_DIR/token_representations}")
fi
say "Training model..."
# In place of this shell, so that a signal to the script reaches the run, once: it finishes its step, keeps a checkpoint,
# and says at its end where the model is and what the next step is.
STRIDER_NEXT_STEP=$(command_line 02b_representation_extraction.sh RUN_NAME CONFIG "${model[@]}") \
  exec "$STRIDER" train "${options[@]}"
