"""DDPM on 8 x 8 digits (Ho, Jain & Abbeel 2020, arXiv:2006.11239): a first run, without a download.

    python main.py --config=configs/ddpm_digits.py --workdir=runs/ddpm_digits

A U-Net of 651,041 parameters, with the cosine schedule (Nichol & Dhariwal 2021, arXiv:2102.09672), which suits
small images better, and DDIM (Song et al. 2021, arXiv:2010.02502), which needs fewer steps.
Hardware: 2 CPU cores. Time: 2 minutes.
Expected: digits of which most can be read, and about 4.3 bits/dim on the test split.
Measured once, seed 0, with jax 0.10.2: 1 min 56 s with the evaluation, 4.316 bits/dim. The bound counts
256 grey levels, of which these images show 17: it is a figure to compare runs by, not a good likelihood.
FD-digits of 360 samples: 0.478, with a 95 % interval from 0.07 to 0.84, where real images reach 0.396.

Table: Diffusion | U-Net, cosine schedule, DDIM | digits, 8 × 8 | 4.316 bits/dim on the test images; 1 min 56 s
表: 扩散模型 | U-Net、余弦噪声调度、DDIM | 8 × 8 手写数字 | 测试集 4.316 bits/dim；1 分 56 秒
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="data/digits",
    full=dict(
        data=dict(batch_size=32),
        networks=dict(
            net=dict(
                name="unet.UNet",
                channels=32,
                multipliers=(1, 2),
                blocks=1,
                attention=(),  # the middle, here at 4 x 4, always has it
                dropout=0.0,
                groups=8,
                label_classes=0,  # unconditional
                remat=False,  # True: less memory, a third more time
            ),
        ),
        optimizers=dict(
            net=dict(
                learning_rate=2e-3, schedule="cosine", warmup_steps=200, clip_norm=1.0, ema_decay=0.99, ema_warmup=True
            ),
        ),
        method=dict(
            name="diffusion",
            timesteps=1000,
            schedule="cosine",
            prediction="noise",
            variance="small",
            clip=True,
            bound_terms=50,  # fewer than 20 leave the number to chance
            drop=0.0,  # of what is given: for guidance
        ),
        train=dict(steps=2000),
        sample=dict(
            sampler="ddim",
            steps=100,
            eta=1.0,  # 0 keeps the early errors of a network trained this briefly: noise in place of images
        ),
        checkpoint=dict(every=500),
    ),
    tiny={
        "networks.net.channels": 4,
        "networks.net.multipliers": (1, 1),
        "networks.net.blocks": 1,
        "networks.net.groups": 2,
        "sample.steps": 3,
        "method.bound_terms": 2,
    },
)
