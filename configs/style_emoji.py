"""Emoji of one style in another, 32 x 32, from pairs: Noto to Fluent, by diffusion from the given image (Palette:
Saharia et al. 2021, arXiv:2111.05826).

    python main.py --config=configs/style_emoji.py --workdir=runs/style_emoji

The same emoji in both styles, which `cyclegan_emoji` has in its test rows alone: its figures are of the same images.
2 x 2 pixels are one position of the network. One example in ten is trained without what is given, so `sample.guidance`
can weigh that more (docs/sampling.md).
Hardware: 1 CPU core. Time: about 10 minutes.
Measured once, seed 0, with jax 0.10.2 after 1,500 steps on one CPU core, shared with other work, in 7 min 9 s, and it
fails: samples have the look of Fluent, and neither the shapes nor the colours of what is given. L1 0.227, LPIPS 0.180
on 158 test images, where copies of Noto's have 0.150 and 0.093. Why is not known.

Table: Restoration | U-Net, flow matching, Heun, from pairs | emoji in two styles, 32 × 32 |
fails: samples do not follow what is given, L1 0.227; 7 min 9 s on a shared core
表: 图像复原 | U-Net、流匹配、Heun（成对训练） | 32 × 32 两种画风的表情符号 |
失败：样本不随给定图像变化，L1 0.227；与其他任务共用单核 7 分 9 秒
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("sr_emoji", "data/emoji_styles"),
    full={
        "data.batch_size": 32,
        "data.image_size": 32,
        "data.rounds": 0,  # pairs
        "evals.pairs.measures": ("l1", "psnr", "ssim", "lpips_alex"),
        "networks.net.image": "noto",
        "networks.net.patch": 2,
        "networks.net.dropout": 0.1,  # 1,347 pairs
        "method.drop": 0.1,
    },
    tiny={"data.image_size": 16, "data.rounds": 0, "evals.pairs.measures": ("l1",)},
)
