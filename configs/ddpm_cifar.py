"""DDPM on CIFAR-10 with the settings of the paper (Ho, Jain & Abbeel 2020, arXiv:2006.11239).

    python main.py --config=configs/ddpm_cifar.py --workdir=runs/ddpm_cifar

A U-Net of 35,746,307 parameters (section 4 and appendix B), without classes.
Hardware: a GPU, or several: the batch is split over them. Time: the authors give 10.6 hours for the
800,000 steps on a TPU v3-8 (appendix B).
Expected: at most 3.75 bits/dim on the test split, of which 1.97 is distortion (section 4.3), and FID 3.17
of 50,000 samples against the training split (table 1).
Measured: not yet measured.

Table: Diffusion | U-Net, the paper's settings | CIFAR-10 | not yet measured
表: 扩散模型 | U-Net、论文原版设置 | CIFAR-10 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="data/cifar10",
    full=dict(
        data=dict(batch_size=128),
        networks=dict(
            net=dict(
                name="unet.UNet",
                channels=128,
                multipliers=(1, 2, 2, 2),
                blocks=2,
                attention=(16,),
                dropout=0.1,
                groups=32,
                label_classes=0,  # unconditional
                remat=False,  # True: less memory, a third more time
            ),
        ),
        optimizers=dict(
            net=dict(learning_rate=2e-4, warmup_steps=5000, clip_norm=1.0, ema_decay=0.9999),
        ),
        method=dict(
            name="diffusion",
            timesteps=1000,
            schedule="linear",
            prediction="noise",
            variance="large",  # β, the authors' choice for CIFAR-10
            clip=True,
            bound_terms=100,  # of 999; 0 = the exact sum, at ten times the cost
            drop=0.0,  # of what is given: for guidance
        ),
        train=dict(steps=800_000),
        evaluate=dict(every=100_000),
        sample=dict(
            every=20_000,
            sampler="ancestral",
            steps=1000,
            eta=0.0,  # of ddim only
        ),
        checkpoint=dict(every=5000, best="bits_per_dim"),
    ),
    tiny={
        "networks.net.channels": 4,
        "networks.net.multipliers": (1, 1),
        "networks.net.blocks": 1,
        "networks.net.groups": 2,
        "networks.net.attention": (),
        "sample.steps": 3,
        "method.bound_terms": 2,
    },
)
