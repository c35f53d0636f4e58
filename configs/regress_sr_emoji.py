"""Regression on emoji, 16 x 16 to 64 x 64: what `sr_emoji` has to look better than.

    python main.py --config=configs/regress_sr_emoji.py --workdir=runs/regress_sr_emoji

Its network, steps and images, without noise: outputs are added to the enlarged image, and L1 is the loss.
Hardware: 1 CPU core. Time: about 20 minutes. Expected: a higher PSNR than one sample of `sr_emoji` has, blurred edges.
Not yet measured.

Table: Restoration | U-Net, regression by L1 | emoji, 16 × 16 to 64 × 64 | not yet measured
表: 图像复原 | U-Net、L1 回归 | 表情符号，16 × 16 到 64 × 64 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="sr_emoji",
    without=("method", "sample.sampler", "sample.steps", "sample.spacing"),
    full=dict(method=dict(name="regression", loss="l1", base="quarter")),
    tiny={"method.base": ""},  # from zero a few steps move every weight, and from the enlarged image they do not
)
