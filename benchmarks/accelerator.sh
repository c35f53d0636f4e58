#!/usr/bin/env bash
# Everything that a machine with a GPU is asked for: checks, every piece beside its peers, a profile, and a diffusion model
# trained on Fashion-MNIST.
#
#     bash benchmarks/accelerator.sh [check] [pieces] [profile] [train]      default: all four
#
# On an H200 with 16 cores pieces took 6 minutes with half of the programs in caches, and the profile 15 s. Where the
# machine is lent by the minute, JAX_COMPILATION_CACHE_DIR, JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 and
# TORCHINDUCTOR_CACHE_DIR name folders to bring back and take along again.
# OUT (default: runs/accelerator) receives logs and samples, benchmarks/results the figures; FASHION_MNIST is the folder
# with the four IDX files.
set -euo pipefail
cd "$(dirname "$0")/.."

OUT="${OUT:-runs/accelerator}"
FASHION_MNIST="${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}"
MINUTES="${MINUTES:-25}" # of the training
PATIENCE="${PATIENCE:-300}" # seconds in which all sides of a call have to be ready
mkdir -p "$OUT"
peers=()
for environment in torch rivals; do
  [ -x ".venv-$environment/bin/python" ] || peers+=(--python "$environment=$(command -v python3)")
done
[ $# -gt 0 ] || set -- check pieces profile train

failed=()
several() { # PIECE:SIZE …: made ready at once, and measured one after the other
  python3 -m benchmarks.several "$@" --patience="$PATIENCE" --write "${peers[@]}" 2>&1 | tee -a "$OUT/pieces.log" ||
    failed+=("$*")
}

for part in "$@"; do
  case "$part" in
    check)
      python3 -c 'import jax; print(jax.devices())'
      JAX_PLATFORMS=cuda python3 -m pytest -q tests/ops/kernels/test_attention.py -k "one_kernel or newest" || failed+=(check)
      ;;
    pieces)
      several ddpm_step:gpu gpt_step:124m-gpu gpt_step:12m-gpu dcgan_step:gpu vae_step:gpu \
        matmul:gpu convolution:gpu bandwidth:gpu --rounds=3 --turn=0.5
      several gpt_decode:124m-batch1 gpt_decode:124m-batch64 gpt_decode:12m-batch1 gpt_decode:12m-batch64 \
        sampling:gpu --rounds=2 --turn=0.3
      ;;
    profile) python3 -m benchmarks.profile ddpm_step --size=gpu | tee "$OUT/profile.txt" || failed+=(profile) ;;
    train)
      timeout --signal=TERM "$((MINUTES * 60))" python3 main.py --config=configs/ddpm_fashion_mnist.py \
        --workdir="$OUT/ddpm_fashion_mnist" --config.data.path="$FASHION_MNIST" --config.precision=bfloat16 \
        --config.networks.net.channels=64 '--config.networks.net.attention=(14,)' --config.data.batch_size=128 \
        --config.train.steps=30000 --config.train.steps_per_call=10 --config.evaluate.budget=600 \
        --config.sample.every=5000 --config.checkpoint.every=5000 --config.evaluate.every=10000 ||
        [ $? -eq 124 ] || failed+=(train) # 124: the time is over, and the run has saved and stopped
      ;;
    *) echo "accelerator.sh: there is no part \"$part\": check, pieces, profile, train" >&2; exit 2 ;;
  esac
done
echo "Results: $OUT and benchmarks/results"
[ ${#failed[@]} -eq 0 ] || { printf 'failed: %s\n' "${failed[@]}" >&2; exit 1; }
