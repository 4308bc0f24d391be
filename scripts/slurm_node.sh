#!/usr/bin/env bash
# A real Slurm of one node, this machine, on its loopback: for tests. Needs root, and Debian's slurm-wlm and munge.
# Usage: slurm_node.sh start FOLDER
#        slurm_node.sh stop FOLDER
# Everything it writes is in FOLDER, but for links /etc/slurm/slurm.conf and gres.conf: Snakemake's jobs clear SLURM_CONF. A
# machine that has a Slurm of its own is left alone.
# The node says that it has two GPUs, which two shards each share. Links to /dev/null stand for them: Slurm wants devices.
set -euo pipefail

system_conf=/etc/slurm/slurm.conf
system_gres=/etc/slurm/gres.conf
command=${1:?usage: slurm_node.sh start|stop FOLDER}
folder=${2:?usage: slurm_node.sh start|stop FOLDER}

stop() {
  local name pid
  for name in slurmd slurmctld munged; do
    pid=$(cat "$folder/$name.pid" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$folder/$name.pid"
  done
  if [ "$(readlink -m "$system_conf")" = "$(readlink -m "$folder/slurm.conf")" ]; then rm -f "$system_conf" "$system_gres"; fi
}

# wait_for WHAT COMMAND...: until it succeeds, for a minute at most.
wait_for() {
  local what=$1
  shift
  for _ in $(seq 300); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  echo "Error: $what does not come up; its log:" >&2
  tail -n 20 "$folder/$what.log" >&2 || true
  exit 1
}

if [ "$command" = stop ]; then
  stop
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "Error: a Slurm for tests is started by root" >&2
  exit 1
fi
if [ -e "$system_conf" ] && [ "$(readlink -m "$system_conf")" != "$(readlink -m "$folder/slurm.conf")" ]; then
  echo "Error: this machine has a Slurm of its own, $system_conf" >&2
  exit 1
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
chmod 711 "$folder"
mkdir -p "$folder/state" "$folder/spool"
name=$(hostname -s)
# Half of the memory of the node is enough for what tests ask for.
megabytes=$(awk '/^MemTotal/ {print int($2 / 1024 / 2)}' /proc/meminfo)
read -r port other < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))')

dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
chmod 600 "$folder/munge.key"
cat >"$folder/slurm.conf" <<END
ClusterName=strider
SlurmctldHost=$name(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
SlurmctldPort=$port
SlurmdPort=$other
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
GresTypes=gpu,shard
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MinJobAge=3600
KillWait=20
NodeName=$name NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$megabytes Gres=gpu:2,shard:4 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
printf '%s\n' "Name=gpu File=$folder/gpu[0-1]" "Name=shard Count=4" >"$folder/gres.conf"
ln -s /dev/null "$folder/gpu0"
ln -s /dev/null "$folder/gpu1"
mkdir -p "${system_conf%/*}"
ln -sfn "$folder/gres.conf" "$system_gres"
ln -sfn "$folder/slurm.conf" "$system_conf"
unset SLURM_CONF
trap 'if [ $? -ne 0 ]; then stop; fi' EXIT  # of what did not come up, nothing stays
munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" 2>>"$folder/munged.log"
wait_for munged munge --socket="$folder/munge.socket" --no-input --output=/dev/null
slurmctld
wait_for slurmctld scontrol ping
slurmd
idle() { sinfo -h -o %T | grep -qx idle; }
wait_for slurmd idle
