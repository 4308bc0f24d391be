# shellcheck shell=bash
# What the numbered scripts do alike. Each sources it, with SCRIPT_DIR set to Strider's folder, and then
#   1. declares its variables:  variable NAME DEFAULT "meaning"
#   2. calls                    start "what it makes" "$@"    which answers --help and refuses other arguments.

# Whoever reads the output may go at any time: then a script goes on without being heard.
trap '' PIPE

# Of the processes that mpirun starts, one speaks.
speaks=true
case ${OMPI_COMM_WORLD_RANK:-${PMIX_RANK:-${PMI_RANK:-0}}} in 0) ;; *) speaks=false ;; esac

# A line of output.
say() {
  if ! $speaks; then return; fi
  printf '%s\n' "$*" 2>/dev/null || true
}

# A heading between two rules.
heading() {
  say "=========================================="
  say "$1"
  say "=========================================="
}

# Ends the script: an error, and a line for each piece of advice.
fail() {
  printf 'Error: %s\n' "$1" >&2 || true
  shift
  local line
  for line in "$@"; do printf '%s\n' "$line" >&2 || true; done
  exit 1
}

# Which of the variables that other steps may need the user has set, before defaults are.
declare -A user_set=()
for name in H W TOPOLOGY RUN_NAME CONFIG STRIDER GRAPH_DIR OUT INPUT_CSV DATASET_DIR OUTPUT_DIR MODEL_DIR \
  REPRESENTATION_DIR; do
  if [ -n "${!name:-}" ]; then user_set[$name]=${!name}; fi
done

source "$SCRIPT_DIR/00_config_env.sh"

help_names=() help_defaults=() help_meanings=()

# variable NAME DEFAULT MEANING [SHOWN]: gives a variable its default, unless the user has set it, and a line in --help,
# which shows SHOWN as the default where that is another.
declare -A is_given=()
variable() {
  help_names+=("$1") help_defaults+=("${4:-$2}") help_meanings+=("$3")
  if [ -n "${!1:-}" ]; then is_given[$1]=1; else printf -v "$1" '%s' "$2"; fi
}

# setting NAME OPTION DEFAULT MEANING [SHOWN]: a variable that the program takes as --OPTION. The program has the same
# default, so only what the user has set is passed on.
settings=()
setting() {
  variable "$1" "${@:3}"
  if [ -n "${is_given[$1]:-}" ]; then settings+=("$1=$2"); fi
}

# place NAME OPTION DEFAULT MEANING: the same for a file or folder whose default follows from the names of surface and
# run, so that it is always passed on.
place() {
  variable "$1" "${@:3}"
  settings+=("$1=$2")
}

# Sets `options` to those of all settings to pass on.
collect_options() {
  options=()
  local pair name
  for pair in "${settings[@]}"; do
    name=${pair%%=*}
    if [ -n "${!name}" ]; then options+=("--${pair#*=}=${!name}"); fi
  done
}

# help_line NAMES MEANING DEFAULT
help_line() {
  say "$(printf '  %-27s%s [%s]' "$@")"
}

print_help() {
  say "$1"
  say ""
  say "Variables go before the script, or are exported once: EPOCHS=5 $(printf %q "$0")"
  say ""
  local i
  for i in "${!help_names[@]}"; do
    help_line "${help_names[i]}" "${help_meanings[i]}" "${help_defaults[i]}"
  done
  help_line "H, W, TOPOLOGY" "rows and columns of the grid, and the surface" "30, 40, torus"
  help_line RUN_NAME "names the run, and the preset configs/config_{RUN_NAME}.json" 2M_llama
  help_line STRIDER "the program" "build/strider, else the one on PATH"
}

# start MAKES ARGUMENT...: answers --help, refuses every other argument.
start() {
  local makes=$1
  shift
  local argument
  for argument in "$@"; do
    case $argument in
      -h | --help)
        print_help "$makes"
        exit 0
        ;;
    esac
  done
  if [ $# -gt 0 ]; then
    printf 'Error: %s takes no arguments, and "%s" is one\n' "${0##*/}" "$1" >&2 || true
    if [[ $1 =~ ^[A-Z_]+= ]]; then
      printf 'Put it before the script: %s %s\n' "$(printf %q "$1")" "$(printf %q "$0")" >&2 || true
    else
      printf 'Settings are variables before the script; --help lists them\n' >&2 || true
    fi
    exit 2
  fi
}

# Sets STRIDER to the program, unless the user has: the one that `make build` made, else one on PATH.
find_strider() {
  if [ -n "${STRIDER:-}" ]; then
    command -v "$STRIDER" >/dev/null || fail "STRIDER is \"$STRIDER\", and there is no such program"
  elif [ -x "$SCRIPT_DIR/build/strider" ]; then
    STRIDER=$SCRIPT_DIR/build/strider
  elif [ -f "$SCRIPT_DIR/steps/program" ]; then # installed: the program's place is said there
    STRIDER=$(readlink -m "$SCRIPT_DIR/$(cat "$SCRIPT_DIR/steps/program")")
    [ -x "$STRIDER" ] || fail "the program is not where it was installed: $STRIDER" "Please install Strider again"
  elif command -v strider >/dev/null; then
    STRIDER=$(command -v strider)
  else
    fail "the program strider is not built: neither $SCRIPT_DIR/build/strider nor one on PATH" \
      "Please run make -C $(printf %q "$SCRIPT_DIR") build first"
  fi
}

# How the user calls another script from here, as a line for the shell: command_line SCRIPT [NAME=VALUE | NAME ...].
# A NAME alone means its value where the user has set it.
command_line() {
  local script=$1 line="" word
  shift
  for word in H W TOPOLOGY STRIDER "$@"; do
    if [[ $word != *=* ]]; then
      if [ -z "${user_set[$word]:-}" ]; then continue; fi
      word=$word=${user_set[$word]}
    fi
    line+="${word%%=*}=$(printf %q "${word#*=}") "
  done
  local folder=$SCRIPT_DIR
  if [[ $0 == */* ]] && [ -e "${0%/*}/$script" ]; then folder=${0%/*}; fi
  printf '%s%s' "$line" "$(printf %q "$folder/$script")"
}

# Whether TOPOLOGY names several surfaces.
is_list_of_surfaces() {
  [[ $TOPOLOGY == *,* || $TOPOLOGY == all ]]
}

# The surfaces that TOPOLOGY names, with spaces between.
list_surfaces() {
  if [ "$TOPOLOGY" = all ]; then
    echo "plane cylinder_x cylinder_y mobius_x mobius_y torus klein_x klein_y proj_plane sphere_two hemisphere_n hemisphere_s sphere"
  else
    local names
    IFS=', ' read -r -a names <<<"$TOPOLOGY"
    echo "${names[*]}"
  fi
}

# Ends a script that takes one surface at a time, before it makes anything, where TOPOLOGY names several.
refuse_list_of_surfaces() {
  if is_list_of_surfaces; then
    fail "TOPOLOGY is \"$TOPOLOGY\", and this step takes one surface at a time" \
      "  for t in $(list_surfaces); do TOPOLOGY=\$t $(printf %q "$0") || break; done"
  fi
}
