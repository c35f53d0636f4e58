"""Emoji of one style in another, 32 x 32, from pairs: Noto to Fluent, by diffusion from the given image (Palette:
Saharia et al. 2021, arXiv:2111.05826).

    python main.py --config=configs/style_emoji.py --workdir=runs/style_emoji

The same emoji in both styles, which `cyclegan_emoji` has in its test rows alone: its figures are of the same images.
2 x 2 pixels are one position of the network. One example in ten is trained without what is given, so `sample.guidance`
can weigh that more (docs/sampling.md).
Hardware: 1 CPU core. Time: about 6 minutes.
Measured once, seed 0, with jax 0.10.2 on one CPU core, shared with tests, in 6 min: L1 0.160, LPIPS 0.138 on 158 test
images, where copies of Noto's have 0.150 and 0.093. Samples follow the place, the outline and mostly the colours of
what is given, in the flat look of Fluent, and faces and hands are not drawn yet.

Table: Restoration | U-Net, flow matching, Heun, from pairs | emoji in two styles, 32 × 32 |
outlines and colours, no faces yet, L1 0.160 (copy 0.150); 6 min on one core
表: 图像复原 | U-Net、流匹配、Heun（成对训练） | 32 × 32 两种画风的表情符号 |
轮廓与颜色，面部尚未成形，L1 0.160（复制 0.150）；单核 6 分钟
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
        "train.steps": 1500,
        "evaluate.every": 1500,
        "evals.pairs.every": 1500,
        "checkpoint.every": 500,
    },
    tiny={"data.image_size": 16, "data.rounds": 0, "evals.pairs.measures": ("l1",)},
)
