#!/usr/bin/env bash
# Everything that a machine with a GPU is asked for: checks of the tiny sizes, every piece beside its peers, a profile,
# and a diffusion model trained on Fashion-MNIST.
#
#     bash benchmarks/accelerator.sh [check] [pieces] [profile] [train]      default: all four, about 30 minutes + training
#
# OUT (default: runs/accelerator) receives logs, figures, samples; FASHION_MNIST the folder with the four IDX files.
set -euo pipefail
cd "$(dirname "$0")/.."

OUT="${OUT:-runs/accelerator}"
FASHION_MNIST="${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}"
MINUTES="${MINUTES:-25}" # of the training
mkdir -p "$OUT"
peers=()
[ -x .venv-torch/bin/python ] || peers=(--python "torch=$(command -v python3)")
[ $# -gt 0 ] || set -- check pieces profile train

failed=()
piece() { # LOG SECONDS PIECE ARGUMENTS …: where one fails, the others are measured still
  timeout "$2" python3 -m benchmarks "${@:3}" "${peers[@]}" 2>&1 | tee -a "$OUT/$1.log" || failed+=("${*:3}")
}

for part in "$@"; do
  case "$part" in
    check)
      python3 -c 'import jax; print(jax.devices())'
      for name in ddpm_step gpt_step gpt_decode dcgan_step vae_step sampling; do
        piece check 200 "$name" --size=tiny --set precision=bfloat16 --rounds=1 --turn=0
      done
      ;;
    pieces)
      for name in matmul convolution bandwidth ddpm_step dcgan_step vae_step sampling; do
        piece pieces 300 "$name" --size=gpu --rounds=3 --turn=3 --write
      done
      for size in 12m-gpu 124m-gpu; do piece pieces 300 gpt_step --size="$size" --rounds=3 --turn=3 --write; done
      for size in 12m-batch1 12m-batch64 124m-batch1 124m-batch64; do
        piece pieces 300 gpt_decode --size="$size" --rounds=2 --turn=1 --write
      done
      ;;
    profile) python3 -m benchmarks.profile ddpm_step --size=gpu | tee "$OUT/profile.txt" || failed+=(profile) ;;
    train)
      timeout --signal=TERM "$((MINUTES * 60))" python3 main.py --config=configs/ddpm_fashion_mnist.py \
        --workdir="$OUT/ddpm_fashion_mnist" --config.data.path="$FASHION_MNIST" \
        --config.networks.net.channels=64 --config.data.batch_size=128 --config.train.steps=50000 \
        --config.sample.every=5000 --config.checkpoint.every=5000 --config.evaluate.every=5000 ||
        [ $? -eq 124 ] || failed+=(train) # 124: the time is over, and the run has saved and stopped
      ;;
    *) echo "accelerator.sh: there is no part \"$part\": check, pieces, profile, train" >&2; exit 2 ;;
  esac
done
echo "Results: $OUT and benchmarks/results"
[ ${#failed[@]} -eq 0 ] || { printf 'failed: %s\n' "${failed[@]}" >&2; exit 1; }
