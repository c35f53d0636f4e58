#!/usr/bin/env bash
# Runs main.py on every worker of a Cloud TPU VM or pod slice; JAX finds the workers by itself.
#
#   launch/tpu_vm.sh NAME ZONE [flags of main.py]
#   launch/tpu_vm.sh my-tpu us-central2-b --config=configs/ddpm_cifar.py --workdir=/mnt/shared/runs/cifar
#
# NAME, ZONE   of the TPU VM, which exists and runs; gcloud is signed in.
# FOLDER       (environment) of this repository on each worker; default aigc_jax, in the home folder. Set it up once:
#                gcloud compute tpus tpu-vm scp --recurse . NAME:aigc_jax --zone=ZONE --worker=all
#                gcloud compute tpus tpu-vm ssh NAME --zone=ZONE --worker=all --command=\
#                  "cd aigc_jax && python3 -m venv .venv && .venv/bin/pip install -e '.[tpu]'"
# --workdir    a folder that all workers share (an NFS mount); on a single worker any folder.
#
# The same command resumes.
set -euo pipefail

if [[ $# -lt 2 || $1 == -* || $2 == -* ]]; then
  echo "usage: launch/tpu_vm.sh NAME ZONE [flags of main.py]" >&2
  exit 2
fi
name=$1 zone=$2
shift 2
printf -v flags ' %q' "$@" # quoted once more for the shell on the worker
printf -v folder '%q' "${FOLDER:-aigc_jax}"
exec gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --worker=all \
  --command="cd $folder && launch/tcmalloc.sh .venv/bin/python main.py --distributed$flags"
