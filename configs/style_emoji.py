"""Emoji of one style in another, 32 x 32, from pairs: Noto to Fluent, by diffusion from the given image (Palette:
Saharia et al. 2021, arXiv:2111.05826).

    python main.py --config=configs/style_emoji.py --workdir=runs/style_emoji

The same emoji in both styles, which `cyclegan_emoji` has in its test rows alone: its figures are of the same images.
2 x 2 pixels are one position of the network. One example in ten is trained without what is given, so `sample.guidance`
can weigh that more (docs/sampling.md).
Hardware: 1 CPU core. Time: about 15 minutes. Expected: Fluent's colours and outlines on the shapes of Noto.
Not yet measured.

Table: Restoration | U-Net, flow matching, Heun, from pairs | emoji in two styles, 32 × 32 | not yet measured
表: 图像复原 | U-Net、流匹配、Heun（成对训练） | 32 × 32 两种画风的表情符号 | 尚未测量
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
