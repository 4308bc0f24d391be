#!/usr/bin/env bash
# Trains a Llama on the dataset that 01c_dataset_preparation.sh made. The README explains every variable.
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

place CONFIG config "configs/config_$RUN_NAME.json" "a Llama config.json; looked up where you are, then beside the script"
place DATASET_DIR dataset_dir "./$DATA_DIR/dataset" "the dataset"
place OUTPUT_DIR output_dir "./$WORK_DIR" "checkpoints, final_model, log"
setting RECIPE recipe reference "values for what is not set below: reference (the defaults), lowest-loss, or fast"
setting EPOCHS epochs 1 "passes over the training walks; 0.5 is half of one"
setting BATCH_SIZE batch_size 50 "walks in a micro-batch"
setting GRAD_ACCUM gradient_accumulation_steps 1 "micro-batches in an optimizer step"
setting LEARNING_RATE learning_rate 5e-4 "peak learning rate"
setting MAX_LENGTH max_length 128 "longer walks are cut"
setting SAVE_STEPS save_steps "" "steps between checkpoints; set alone, EVAL_STEPS follows" 200
setting EVAL_STEPS eval_steps "" "steps between evaluations; set alone, SAVE_STEPS follows" 200
setting LOGGING_STEPS logging_steps 10 "steps between log entries"
place LOG_DIR logging_dir "$OUTPUT_DIR" "where metrics.jsonl and event files go"
setting USE_CPU no_cuda false "true: the CPU, as DEVICE=cpu"

# What the reference fixes or does not have.
setting SEED seed 42 "starting weights and order of walks"
setting INIT_FROM init_from "" "a model folder to start from"
setting MAX_STEPS max_steps 0 "the run and its schedule end there; 0: after all epochs"
setting WARMUP_STEPS warmup_steps 50 "steps in which the learning rate rises from 0"
setting LR_SCHEDULER lr_scheduler linear "linear, cosine, constant (without warmup), or warmup_stable_decay"
setting DECAY_SHARE decay_share 0.2 "share of the steps in which the rate of warmup_stable_decay falls to 0"
setting FIRST_LAYERS first_layers 0 "embeddings and so many layers, the lowest ones, stay as they are after FIRST_STEPS steps; 0: all are trained"
setting FIRST_STEPS first_steps 0 "of the steps, the first so many train these layers as if they were the whole model"
setting FIRST_LEARNING_RATE first_learning_rate 5e-4 "peak learning rate of these steps"
setting FIRST_GROUP_LEARNING_RATES first_group_learning_rates "" "peak learning rates of some kinds of tensors in them"
setting FIRST_GROUP_WEIGHT_DECAYS first_group_weight_decays "" "weight decay of some kinds of tensors in them"
setting FIRST_EMBEDDING_SCALE first_embedding_scale 1 "the embeddings are multiplied by this after them"
setting FIRST_OUTPUT_SCALE first_output_scale 1 "so are o_proj and down_proj of these layers"
setting HEAD_STEPS head_steps 0 "of the steps, the last so many (at most half) train lm_head alone"
setting HEAD_LEARNING_RATE head_learning_rate 0.01 "peak learning rate of these steps"
setting AVERAGE_SHARE average_share 0 "final_model has the mean of the weights over this last share of the steps; 0: those of one step"
setting AVERAGE_EVERY average_every 10 "steps between the weights that are in that mean"
setting MAX_MINUTES max_minutes 0 "minutes that the run may take, to which its schedule is fitted; 0: no limit"
setting TARGET_LOSS target_loss 0 "the run ends at an evaluation loss per predicted token this low; 0: none"
setting TARGET_EXCESS target_excess 0 "the same, over the best possible loss; 0: none"
setting PATIENCE patience 0 "the run ends after this many evaluations in turn without a lower loss; 0: never"
setting OPTIMIZER optimizer adamw "adamw; sgd, stochastic gradient descent with momentum; or muon"
setting MOMENTUM momentum 0.9 "of sgd and muon"
setting ORTHOGONALIZE orthogonalize newton-schulz "how muon orthogonalizes an update: newton-schulz or polar-express"
setting ORTHOGONALIZE_STEPS orthogonalize_steps 5 "steps of that"
setting ADAM_BETA1 adam_beta1 0.9 "decay of adamw's mean of gradients"
setting ADAM_BETA2 adam_beta2 0.999 "decay of adamw's mean of squared gradients"
setting ADAM_EPSILON adam_epsilon 1e-8 "what adamw adds to the root of the mean of squared gradients"
setting WEIGHT_DECAY weight_decay 0.01 "of the optimizer, on matrices and embeddings"
setting GROUP_LEARNING_RATES group_learning_rates "" "LEARNING_RATE of some weights: \"matrices=0.01 lm_head=1e-3\"; or embeddings, norms"
setting GROUP_WARMUP_STEPS group_warmup_steps "" "WARMUP_STEPS of some weights: matrices=100"
setting GROUP_WEIGHT_DECAYS group_weight_decays "" "WEIGHT_DECAY of some weights: matrices=0.1"
setting GROUP_ADAM_BETA1 group_adam_beta1 "" "ADAM_BETA1 of some weights: embeddings=0.8"
setting GROUP_ADAM_BETA2 group_adam_beta2 "" "ADAM_BETA2 of some weights: embeddings=0.95"
setting GROUP_ADAM_EPSILON group_adam_epsilon "" "ADAM_EPSILON of some weights: embeddings=1e-3"
setting OUTPUT_PROJECTIONS output_projections torch "how o_proj and down_proj start: torch, or zero"
setting EMBEDDING_SCALE embedding_scale 1 "the embeddings that torch draws are multiplied by this"
setting MAX_GRAD_NORM max_grad_norm 1.0 "gradients are clipped to this norm; 0: not"
setting SAVE_TOTAL_LIMIT save_total_limit 2 "checkpoints to keep, the newest and the best among them; or all"
setting LOSS_DENOMINATOR loss_denominator predictions "predictions: the mean over predicted tokens; labels: as transformers 4.57.1 shows it"
setting THREADS threads all "threads; results do not depend on it"
setting DEVICE device auto "cpu; cuda, one NVIDIA GPU or an error; or auto: the GPU where it can do the run"
setting PRECISION precision float32 "operands of matrix products: float32, bfloat16, or auto"
setting FINAL_EVALUATION final_evaluation false "true: evaluate the last step too"
setting HISTOGRAM_STEPS histogram_steps 0 "steps between histograms of weights and gradients in the event files; 0: none"
setting REPRESENTATION_STEPS representation_steps 0 "steps between representations of the model on its way, in representations_by_step/; 0: none"
setting GEOMETRY_STEPS geometry_steps 0 "steps between measures of how much of the graph is in each layer; 0: none"
setting REPRESENTATIONS representations after_block "types that REPRESENTATION_STEPS takes; 02b_representation_extraction.sh names them"
place GRAPH_DIR graph_dir "./$DATA_DIR/graph" "the graph that GEOMETRY_STEPS compares with"
setting RANKS ranks auto "auto: the processes that mpirun or srun has started share the run; alone: each is a run of its own"
setting RANK_TIMEOUT rank_timeout 300 "with mpirun: seconds that ranks wait for one that gives no sign"
setting REPORT_TO report_to all "tensorboard: event files in LOG_DIR; none; or all: what the program can write"
setting PLAN plan "" "a file to write what the run takes to, as JSON, instead of training"
setting RESUME resume auto "auto: go on with an interrupted run of the same settings; never"
setting OVERWRITE overwrite false "true: replace a finished run, or one of other settings; with RESUME=never any run"
setting CONTINUE continue false "true: go on from the newest checkpoint of a run with another schedule"
start "Trains a Llama on a dataset of walks: checkpoints, final_model and log in OUTPUT_DIR." "$@"
refuse_list_of_surfaces

# The presets are beside this script, the user's own configurations where the script is called.
if [[ $CONFIG != /* && ! -e $CONFIG && -e $SCRIPT_DIR/$CONFIG ]]; then
  CONFIG=$SCRIPT_DIR/$CONFIG
fi

heading "Model Training"
say
# A line of the configuration, unless the recipe decides what the setting is: then the program says it.
show() {
  if [ "$RECIPE" = reference ] || [ -n "${is_given[$2]:-}" ]; then say "  $1: ${3:-${!2}}"; fi
}

say "Configuration:"
say "  Model config: $CONFIG"
say "  Dataset dir: $DATASET_DIR"
say "  Output dir: $OUTPUT_DIR"
if [ "$RECIPE" != reference ]; then say "  Recipe: $RECIPE"; fi
show "Epochs" EPOCHS
show "Batch size" BATCH_SIZE
show "Gradient accumulation" GRAD_ACCUM
show "Learning rate" LEARNING_RATE
say "  Max length: $MAX_LENGTH"
show "Save steps" SAVE_STEPS "${SAVE_STEPS:-200}"
show "Eval steps" EVAL_STEPS "${EVAL_STEPS:-200}"
say "  Logging steps: $LOGGING_STEPS"
say "  Logging dir: $LOG_DIR"
say "  Seed: $SEED"
if [ -n "$INIT_FROM" ]; then say "  Start from: $INIT_FROM"; fi
if [ "$MAX_STEPS" != 0 ]; then say "  Max steps: $MAX_STEPS"; fi
show "Schedule" LR_SCHEDULER
show "Warmup steps" WARMUP_STEPS
case $OPTIMIZER in
  sgd) say "  Optimizer: sgd, momentum $MOMENTUM" ;;
  muon) say "  Optimizer: muon, momentum $MOMENTUM, $ORTHOGONALIZE with $ORTHOGONALIZE_STEPS steps" ;;
  *) show "Optimizer" OPTIMIZER ;;
esac
if [ -n "$GROUP_LEARNING_RATES" ]; then say "  Learning rates of groups: $GROUP_LEARNING_RATES"; fi
if [ -n "$GROUP_WARMUP_STEPS" ]; then say "  Warmup steps of groups: $GROUP_WARMUP_STEPS"; fi
if [ -n "$GROUP_WEIGHT_DECAYS" ]; then say "  Weight decays of groups: $GROUP_WEIGHT_DECAYS"; fi
show "Weight decay" WEIGHT_DECAY
show "Max gradient norm" MAX_GRAD_NORM
say "  Checkpoints kept: $SAVE_TOTAL_LIMIT"
say "  Loss denominator: $LOSS_DENOMINATOR"
say "  Threads: $THREADS"
say "  Device: $DEVICE"
show "Precision" PRECISION
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
collect_options
model=()
if [ -n "${user_set[OUTPUT_DIR]:-}" ]; then
  model=("MODEL_DIR=$OUTPUT_DIR/final_model" "REPRESENTATION_DIR=${REPRESENTATION_DIR:-$OUTPUT_DIR/token_representations}")
fi
if [ -n "$PLAN" ]; then say "Planning..."; else say "Training model..."; fi
# In place of this shell, so that a signal to the script reaches the run, once: it finishes its step, keeps a checkpoint,
# and says at its end where the model is and what the next step is.
STRIDER_NEXT_STEP=$(command_line 02b_representation_extraction.sh RUN_NAME CONFIG "${model[@]}") \
  exec "$STRIDER" train "${options[@]}"
