"""Regression on emoji, 16 x 16 to 64 x 64: what `sr_emoji` has to look better than.

    python main.py --config=configs/regress_sr_emoji.py --workdir=runs/regress_sr_emoji

Its network, steps and images, without noise: outputs are added to the enlarged image, and L1 is the loss.
Hardware: 1 CPU core. Time: about 12 minutes.
Measured once, seed 0, with jax 0.10.2 on one CPU core, shared with other work, in 25 min, on 600 test images: 23.74 dB
[23.41, 24.06], SSIM 0.856, LPIPS 0.059 [0.056, 0.063]. Edges are as sharp as drawn ones; features of a few pixels, such
as letters and eyes, are smeared.

Table: Restoration | U-Net, regression by L1 | emoji, 16 × 16 to 64 × 64 |
23.74 dB, LPIPS 0.059; 25 min on a shared core
表: 图像复原 | U-Net、L1 回归 | 表情符号，16 × 16 到 64 × 64 |
23.74 dB，LPIPS 0.059；与其他任务共用单核 25 分钟
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="sr_emoji",
    without=("method", "sample.sampler", "sample.steps", "sample.spacing"),
    full=dict(method=dict(name="regression", loss="l1", base="quarter")),
    tiny={"method.base": ""},  # from zero a few steps move every weight, and from the enlarged image they do not
)
