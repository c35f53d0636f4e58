"""The 6,763 characters of GB 2312 in two fonts, 64 x 64: Noto Sans, and LXGW WenKai, which is written with a brush.

    apt-get install fonts-noto-cjk fonts-lxgw-wenkai
    pip install 'aigc_jax[ocr]'

Samples of test characters, which are in no training row, are held against the font's own. The measure `ocr` is the
share that a reader of printed text reads rightly; its floor is what it reads of the font's own glyphs.

Table: Chinese characters in several fonts | `apt-get install fonts-noto-cjk fonts-lxgw-wenkai`; other fonts:
`--config.data.fonts`
表: 多种字体的汉字 | `apt-get install fonts-noto-cjk fonts-lxgw-wenkai`；其他字体：`--config.data.fonts`
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="glyphs", fonts=("noto_sans", "wenkai"), characters="gb2312", image_size=64),
        evals=dict(
            quality=dict(samples=0, extractor="", measures=()),  # pairs are held against their true images
            pairs=dict(samples=600, measures=("l1", "psnr", "ssim", "ocr"), given="split:test"),
        ),
    ),
    tiny={
        "data.image_size": 16,
        "evals.quality.samples": 0,
        "evals.pairs.samples": 4,
        "evals.pairs.measures": ("psnr",),
    },
)
