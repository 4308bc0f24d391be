#!/usr/bin/env bash
# Trains a Llama on the dataset that 01c_dataset_preparation.sh made. The README explains every variable.
set -euo pipefail

SCRIPT_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$SCRIPT_DIR/00_config_env.sh"
source "$SCRIPT_DIR/scripts/front_door.sh"
refuse_list_of_surfaces

CONFIG="${CONFIG:-configs/config_${RUN_NAME}.json}"
own_dataset="${DATASET_DIR:-}"
DATASET_DIR="${DATASET_DIR:-./${DATA_DIR}/dataset}"
OUTPUT_DIR="${OUTPUT_DIR:-./${WORK_DIR}}"
EPOCHS="${EPOCHS:-1}"
BATCH_SIZE="${BATCH_SIZE:-50}"
GRAD_ACCUM="${GRAD_ACCUM:-1}"
LEARNING_RATE="${LEARNING_RATE:-5e-4}"
MAX_LENGTH="${MAX_LENGTH:-128}"
SAVE_STEPS="${SAVE_STEPS:-}" # 200; where only one of the two is set, the other follows it
EVAL_STEPS="${EVAL_STEPS:-}" # 200
LOGGING_STEPS="${LOGGING_STEPS:-10}"
LOG_DIR="${LOG_DIR:-${OUTPUT_DIR}}"
USE_CPU="${USE_CPU:-false}"

# What the reference fixes or does not have.
SEED="${SEED:-42}"
INIT_FROM="${INIT_FROM:-}"
MAX_STEPS="${MAX_STEPS:-0}"
WARMUP_STEPS="${WARMUP_STEPS:-50}"
OPTIMIZER="${OPTIMIZER:-adamw}"
MOMENTUM="${MOMENTUM:-0.9}"
WEIGHT_DECAY="${WEIGHT_DECAY:-0.01}"
MAX_GRAD_NORM="${MAX_GRAD_NORM:-1.0}"
LR_SCHEDULER="${LR_SCHEDULER:-linear}"
SAVE_TOTAL_LIMIT="${SAVE_TOTAL_LIMIT:-2}"
LOSS_DENOMINATOR="${LOSS_DENOMINATOR:-predictions}"
THREADS="${THREADS:-all}"
PRECISION="${PRECISION:-float32}"
OVERWRITE="${OVERWRITE:-false}"
CONTINUE="${CONTINUE:-false}"
RESUME="${RESUME:-auto}"
FINAL_EVALUATION="${FINAL_EVALUATION:-false}"

# The presets stand beside this script, the user's own configurations where the script is called.
if [[ $CONFIG != /* && ! -e $CONFIG && -e $SCRIPT_DIR/$CONFIG ]]; then
  CONFIG=$SCRIPT_DIR/$CONFIG
fi
device="GPU (the CPU where there is none)"
if [ "$USE_CPU" = true ]; then device=CPU; fi

heading "Model Training"
echo
echo "Configuration:"
echo "  Model config: $CONFIG"
echo "  Dataset dir: $DATASET_DIR"
echo "  Output dir: $OUTPUT_DIR"
echo "  Epochs: $EPOCHS"
echo "  Batch size: $BATCH_SIZE"
echo "  Gradient accumulation: $GRAD_ACCUM"
echo "  Learning rate: $LEARNING_RATE"
echo "  Max length: $MAX_LENGTH"
echo "  Save steps: ${SAVE_STEPS:-200}"
echo "  Eval steps: ${EVAL_STEPS:-200}"
echo "  Logging steps: $LOGGING_STEPS"
echo "  Logging dir: $LOG_DIR"
echo "  Device: $device"
echo "  Seed: $SEED"
if [ -n "$INIT_FROM" ]; then echo "  Start from: $INIT_FROM"; fi
if [ "$MAX_STEPS" != 0 ]; then echo "  Max steps: $MAX_STEPS"; fi
echo "  Schedule: $LR_SCHEDULER, $WARMUP_STEPS steps of warmup"
if [ "$OPTIMIZER" = sgd ]; then echo "  Optimizer: sgd, momentum $MOMENTUM"; else echo "  Optimizer: $OPTIMIZER"; fi
echo "  Weight decay: $WEIGHT_DECAY"
echo "  Max gradient norm: $MAX_GRAD_NORM"
echo "  Checkpoints kept: $SAVE_TOTAL_LIMIT"
echo "  Loss denominator: $LOSS_DENOMINATOR"
echo "  Threads: $THREADS"
echo "  Precision: $PRECISION"
echo

if [ ! -d "$DATASET_DIR" ]; then
  echo "Error: Dataset directory $DATASET_DIR not found!" >&2
  if [ -n "$own_dataset" ]; then
    echo "Please name a dataset folder with DATASET_DIR, or make this one with ./01c_dataset_preparation.sh" >&2
  else
    echo "Please run ./01c_dataset_preparation.sh first" >&2
  fi
  exit 1
fi
if [ ! -f "$CONFIG" ]; then
  echo "Error: Model config $CONFIG not found, neither here nor beside this script!" >&2
  echo "Please name one with CONFIG or RUN_NAME; the presets are" >&2
  for preset in "$SCRIPT_DIR"/configs/config_*.json; do echo "  configs/${preset##*/}" >&2; done
  exit 1
fi

find_strider
options=(
  --dataset_dir="$DATASET_DIR" --config="$CONFIG" --output_dir="$OUTPUT_DIR"
  --epochs="$EPOCHS" --batch_size="$BATCH_SIZE" --gradient_accumulation_steps="$GRAD_ACCUM"
  --learning_rate="$LEARNING_RATE" --max_length="$MAX_LENGTH"
  --logging_steps="$LOGGING_STEPS" --logging_dir="$LOG_DIR"
  --seed="$SEED" --max_steps="$MAX_STEPS" --warmup_steps="$WARMUP_STEPS" --optimizer="$OPTIMIZER" --momentum="$MOMENTUM"
  --weight_decay="$WEIGHT_DECAY"
  --max_grad_norm="$MAX_GRAD_NORM" --lr_scheduler="$LR_SCHEDULER" --save_total_limit="$SAVE_TOTAL_LIMIT"
  --loss_denominator="$LOSS_DENOMINATOR" --threads="$THREADS" --precision="$PRECISION" --overwrite="$OVERWRITE" --continue="$CONTINUE" --final_evaluation="$FINAL_EVALUATION" --resume="$RESUME"
  --no_cuda="$USE_CPU"
)
if [ -n "$SAVE_STEPS" ]; then options+=(--save_steps="$SAVE_STEPS"); fi
if [ -n "$EVAL_STEPS" ]; then options+=(--eval_steps="$EVAL_STEPS"); fi
if [ -n "$INIT_FROM" ]; then options+=(--init_from="$INIT_FROM"); fi
echo "Training model..."
# In place of this shell, so that a signal to the script reaches the run, once: it finishes its step, keeps a checkpoint,
# and says at its end where the model is.
exec "$STRIDER" train "${options[@]}"
