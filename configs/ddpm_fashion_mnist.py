"""DDPM on Fashion-MNIST (Ho, Jain & Abbeel 2020, arXiv:2006.11239), small enough for a CPU.

    python main.py --config=configs/ddpm_fashion_mnist.py --workdir=runs/ddpm_fashion_mnist

A narrow U-Net of 953,761 parameters on 28 x 28 pixels, with the cosine schedule (Nichol & Dhariwal 2021,
arXiv:2102.09672), which suits small images better, and DDIM (Song et al. 2021, arXiv:2010.02502), which needs
fewer steps.
On a GPU: networks.net.channels=64, attention=(14,), data.batch_size=128, train.steps=50000.
Hardware: 2 CPU cores. Time: about 30 minutes. Expected: recognisable garments of all classes.
Measured once, seed 0, with jax 0.10.2 in 31 min 20 s: 3.760 bits/dim (10 random terms of the bound, 1,024 test
images; 4.038 after 1,000 steps, 3.841 after 2,000), 3.63 [3.52, 3.75] on all 10,000; FD-fashion_mnist 0.52
(docs/board.md). Of 64 samples about 60 are garments at sight, with folds, heels and handles; the others mix two.
With eta=0 the weights of step 1,000 left about one sample in four as noise.
"""

import ml_collections

from aigc_jax.config import experiment


def get_config(size: str = "full") -> ml_collections.ConfigDict:
    full = dict(
        data=dict(
            name="idx",
            path="/usr/share/datasets/fashion-mnist",
            validation=0,
            pad=0,
            augment=(),
            batch_size=32,
        ),
        networks=dict(
            net=dict(
                name="unet.UNet",
                channels=24,
                multipliers=(1, 2, 3),
                blocks=1,
                attention=(),  # the middle, at 7 x 7, always has it
                dropout=0.0,
                groups=8,
                label_classes=0,  # unconditional
                remat=False,  # True: less memory, a third more time
            ),
        ),
        optimizers=dict(
            net=dict(
                learning_rate=1e-3, schedule="cosine", warmup_steps=200, clip_norm=1.0, ema_decay=0.999, ema_warmup=True
            ),
        ),
        method=dict(
            name="diffusion",
            timesteps=1000,
            schedule="cosine",
            prediction="noise",
            variance="small",
            clip=True,
            bound_terms=10,
            drop=0.0,  # of what is given: for guidance
        ),
        train=dict(steps=3000),
        evaluate=dict(
            every=1000,
            batches=4,  # 1,024 images: each costs 11 passes
            samples=1000,  # on a CPU more than the budget: --mode=evaluate draws them
            extractor="fashion_mnist",
            measures=("frechet", "kid", "precision_recall", "density_coverage"),
        ),
        sample=dict(
            every=500,
            sampler="ddim",
            steps=100,
            eta=1.0,  # 0 keeps the early errors of a network trained this briefly: noise in place of images
        ),
        checkpoint=dict(every=500, best="bits_per_dim"),
    )
    tiny = {
        "evaluate.samples": 0,
        "networks.net.channels": 4,
        "networks.net.multipliers": (1, 1),
        "networks.net.blocks": 1,
        "networks.net.groups": 2,
        "sample.steps": 3,
        "method.bound_terms": 2,
    }
    return experiment(size, full, tiny)
