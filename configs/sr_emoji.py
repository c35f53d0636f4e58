"""SR3 on emoji, 16 x 16 to 64 x 64 (Saharia et al. 2021, arXiv:2104.07636), with EDM (Karras et al. 2022,
arXiv:2206.00364).

    python main.py --config=configs/sr_emoji.py --workdir=runs/sr_emoji

Table: Restoration | U-Net, EDM, Heun | emoji, 16 × 16 to 64 × 64 | not yet measured
表: 图像复原 | U-Net、EDM、Heun | 表情符号，16 × 16 到 64 × 64 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("diffusion/edm", "data/derived_pairs"),
    full={
        "data.batch_size": 32,
        "data.derive": "quarter",
        "evals.pairs.measures": ("psnr", "ssim", "lpips_alex"),
        "networks.net": dict(
            name="unet.UNet",
            image="quarter",
            channels=64,
            multipliers=(1, 2),
            blocks=1,
            attention=(),
            dropout=0.0,
            groups=8,
            label_classes=0,
            patch=4,
        ),
        "optimizers.net": dict(
            learning_rate=1e-3, schedule="cosine", warmup_steps=200, clip_norm=1.0, ema_decay=0.999, ema_warmup=True
        ),
        "method.bound_terms": 4,
        "train.steps": 3000,
        "evaluate.every": 1000,
        "sample": dict(n=48, given="split:test", steps=8),
    },
    tiny={
        "networks.net.channels": 4,
        "networks.net.groups": 2,
        "evals.pairs.measures": ("psnr",),
    },
)
