#!/usr/bin/env bash
# Runs main.py in several processes on this machine, joined over 127.0.0.1: to try what a cluster does.
#
#   launch/local_processes.sh COUNT [flags of main.py]
#   launch/local_processes.sh 2 --config=configs/gpt_sentences.py:tiny --workdir=runs/two
#
# COUNT    processes; each has one CPU device.
# PYTHON   (environment) the interpreter; default: .venv/bin/python where there is one, else python3.
# PORT     (environment) of process 0; default 12321.
#
# What process 0 prints is shown. When one process fails, the others are ended and its exit code is returned.
set -euo pipefail

if [[ $# -lt 1 || ! $1 =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: launch/local_processes.sh COUNT [flags of main.py]" >&2
  exit 2
fi
count=$1
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -z ${PYTHON:-} ]]; then
  PYTHON=python3
  [[ -x .venv/bin/python ]] && PYTHON=.venv/bin/python
fi

export JAX_PLATFORMS=cpu JAX_NUM_CPU_DEVICES=1
export JAX_COORDINATOR_ADDRESS="127.0.0.1:${PORT:-12321}"
export JAX_COORDINATOR_BIND_ADDRESS="$JAX_COORDINATOR_ADDRESS" # the default listens on every network
export JAX_NUM_PROCESSES="$count"

processes=()
end() { kill -KILL "${processes[@]}" 2>/dev/null || true; } # TERM would wait for a step that never ends
trap end EXIT
for ((i = 0; i < count; i++)); do
  if ((i == 0)); then
    JAX_PROCESS_ID=$i launch/tcmalloc.sh "$PYTHON" main.py "$@" &
  else
    JAX_PROCESS_ID=$i launch/tcmalloc.sh "$PYTHON" main.py "$@" >/dev/null &
  fi
  processes+=("$!")
done
for ((i = 0; i < count; i++)); do
  wait -n # in the order in which they end; a failure ends this script, and so the others
done
trap - EXIT
