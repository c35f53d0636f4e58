"""DiscoGAN between two styles of emoji (Kim et al. 2017, arXiv:1703.05192).

    python main.py --config=configs/discogan_emoji.py --workdir=runs/discogan_emoji

Encoders and decoders of 4 x 4 convolutions without skips around a grid of 4 x 4 as the paper's, cross entropy, squared
distances there and back. 32 x 32 in place of 64 x 64, and so a halving less; the discriminator is that of
cyclegan_emoji, and data, directions and measures are too. The paper weighs the distances as the game; here they weigh
ten times as much. Weighed alike, around a grid of 1 x 1, the generators made one image of all.
Hardware: 2 CPU cores. Expected: colours and coarse shapes of the target's style. Not yet measured.

Table: Unpaired images | DiscoGAN | emoji in two styles, 32 × 32 | not yet measured
表: 不成对图像 | DiscoGAN | 32 × 32 两种画风的表情符号 | 尚未测量
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
    tiny={
        "networks.generator.channels": 2,
        "networks.generator.levels": 3,
    },
)
