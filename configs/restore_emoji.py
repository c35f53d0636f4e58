"""Restoration of emoji that are noisy, blurred, partly hidden, grey or small, by one network that is not told which
(Palette: Saharia et al. 2021, arXiv:2111.05826, section 5.5, one network of several tasks).

    python main.py --config=configs/restore_emoji.py --workdir=runs/restore_emoji

The network and the training of `sr_emoji`. A training image meets 8 damages, another one in each round; a test image
has one, the same always. Regression by the same network, of which no configuration is needed:

    python main.py --config=configs/regress_sr_emoji.py --workdir=runs/regress_restore_emoji \\
        --config.data.derive=mixed --config.data.rounds=8 --config.networks.net.image=mixed --config.method.base=

What both have to be better than: `aigc_jax baselines restore_emoji`. Regression with method.base=mixed stays at the
given image: where most pixels are right already, the median of what to add is 0.
Hardware: 1 CPU core. Time: about 10 minutes.
Measured once, seed 0, with jax 0.10.2 on one CPU core in 8 min, on 600 test images: 19.80 dB [19.46, 20.11], L1 0.058,
SSIM 0.727, LPIPS 0.143 [0.134, 0.153]; regression 21.06 dB, L1 0.047, SSIM 0.781, LPIPS 0.131 in 8 min; the given image
L1 0.067, SSIM 0.679, LPIPS 0.249. Noise and blur go, edges come back; small boxes are filled, large ones partly, and
grey faces are coloured in patches.

Table: Restoration | U-Net, flow matching, Heun | damaged emoji, 64 × 64 | 19.80 dB, LPIPS 0.143; 8 min on one core
表: 图像复原 | U-Net、流匹配、Heun | 64 × 64 受损表情符号 | 19.80 dB，LPIPS 0.143；单核 8 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="sr_emoji",
    full={"data.derive": "mixed", "data.rounds": 8, "networks.net.image": "mixed"},
)
