"""Restoration of emoji that are noisy, blurred, partly hidden, grey or small, by one network that is not told which
(Palette: Saharia et al. 2021, arXiv:2111.05826, section 5.5, one network of several tasks).

    python main.py --config=configs/restore_emoji.py --workdir=runs/restore_emoji

The network and the training of `sr_emoji`. A training image meets 8 damages, another one in each round; a test image
has one, the same always. Regression by the same network, of which no configuration is needed:

    python main.py --config=configs/regress_sr_emoji.py --workdir=runs/regress_restore_emoji \\
        --config.data.derive=mixed --config.data.rounds=8 --config.networks.net.image=mixed --config.method.base=mixed

What both have to be better than: `aigc_jax baselines restore_emoji`.
Hardware: 1 CPU core. Time: about 20 minutes. Expected: noise and blur go, holes are filled by what is likely there.
Not yet measured.

Table: Restoration | U-Net, flow matching, Heun | damaged emoji, 64 × 64 | not yet measured
表: 图像复原 | U-Net、流匹配、Heun | 64 × 64 受损表情符号 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="sr_emoji",
    full={"data.derive": "mixed", "data.rounds": 8, "networks.net.image": "mixed"},
)
