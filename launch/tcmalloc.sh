#!/usr/bin/env bash
# Runs a command with the allocator tcmalloc where that is installed (Debian, Ubuntu: libtcmalloc-minimal4), else as is.
#
#   launch/tcmalloc.sh python main.py --config=ddpm_digits --workdir=runs/a
#
# XLA frees a step's memory after it and allocates it anew for the next. glibc returns large arrays to the system, which
# clears their pages again: up to a third of a step on a CPU. tcmalloc keeps them.
# LD_PRELOAD   (environment) stays as it is where it is set, also to nothing.
set -euo pipefail

if [[ -z ${LD_PRELOAD+set} && $OSTYPE == linux* ]]; then
  for library in libtcmalloc_minimal.so.4 libtcmalloc.so.4; do
    if [[ -z $(LD_PRELOAD=$library bash -c : 2>&1) ]]; then # the loader complains of a library that it does not find
      export LD_PRELOAD=$library
      export TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD=${TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD-0} # no line for a gigabyte
      break
    fi
  done
fi
exec "$@"
