"""DiscoGAN between two styles of emoji (Kim et al. 2017, arXiv:1703.05192).

    python main.py --config=configs/discogan_emoji.py --workdir=runs/discogan_emoji

Encoders and decoders of 4 x 4 convolutions without skips around a grid of 4 x 4 as the paper's, cross entropy, squared
distances there and back. 32 x 32 in place of 64 x 64, and so a halving less; the discriminator is that of
cyclegan_emoji, and data, directions and measures are too. The paper weighs the distances as the game; here they weigh
ten times as much. Weighed alike, around a grid of 1 x 1, the generators made one image of all.
Hardware: 2 CPU cores. Expected: colours and coarse shapes of the target's style.
Measured once, seed 0, on one CPU core, shared at the end, with jax 0.10.2 in 15 min, on all 158 test emoji: L1 0.136,
SSIM 0.253, LPIPS 0.099; cyclegan_emoji has 0.131, 0.277, 0.091, a copy of Noto's 0.150, 0.269, 0.093. An image there
and back is 0.068 of the range of values away from itself in Fluent's style, 0.079 in Noto's. Faces and hands turn
orange, details of faces blur, dark areas are speckled with all colours.

Table: Unpaired images | DiscoGAN | emoji in two styles, 32 × 32 |
the target's palette on blurred shapes: L1 0.136 (copy 0.150), LPIPS 0.099 (copy 0.093); 15 min on one core
表: 不成对图像 | DiscoGAN | 32 × 32 两种画风的表情符号 |
目标配色、形状模糊：L1 0.136（直接复制 0.150），LPIPS 0.099（直接复制 0.093）；单核 15 分钟
"""

from aigc_jax.experiments import Experiment

ADAM = dict(learning_rate=2e-4, b1=0.5, schedule="constant", weight_decay=1e-4)  # section 3.1

get_config = Experiment(
    start="cyclegan_emoji",
    without=("networks.generator", "method"),
    full={
        "data.batch_size": 16,
        "networks.generator": dict(name="pix2pix.Generator", channels=32, levels=3, skips=False, dropout=0.0),
        "optimizers.generator": ADAM,
        "optimizers.discriminator": ADAM,
        "method": dict(
            name="translation",
            fields=("noto", "fluent"),
            task="unpaired",
            loss="non_saturating",
            cycle=10.0,
            cycle_distance="mse",
        ),
    },
    tiny={"networks.generator.channels": 2},
)
