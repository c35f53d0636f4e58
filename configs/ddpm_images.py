"""DDPM on a folder of your own images (Ho, Jain & Abbeel 2020, arXiv:2006.11239).

    python main.py --config=configs/ddpm_images.py --workdir=runs/mine --config.data.path=FOLDER

A U-Net of three levels with the cosine schedule (Nichol & Dhariwal 2021, arXiv:2102.09672) and DDIM (Song et al. 2021,
arXiv:2010.02502). It fits 32, 48, 64 and every other multiple of 4: change data.image_size alone.
docs/your-own-images.md says how the folder looks, and how to see whether the model works.
A few hundred images: it will repeat them before long; keep augment=("flip",) unless left and right mean something, stop
after about 3,000 steps, and look at --mode=audit. Twenty thousand: train.steps=30000 or more, dropout=0.0.
On a GPU: networks.net.channels=128, networks.net.blocks=2, data.batch_size=128, precision="bfloat16".
By class: networks.net.label_classes, the number of classes.
Hardware: 2 CPU cores, or any GPU.
Measured once, seed 0, on 1,420 emoji of 32 pixels (Noto, white ground; 1,278 to train on) on 2 shared CPU cores, jax
0.10.2, stopped after 3,475 of 5,000 steps: 3.341 bits/dim on the 71 test images after 3,000, still falling (3.822 after
1,000, 3.479 after 2,000). Samples are clean shapes in flat colours on white, few of them an object at sight yet.
Its whole time is not yet measured: 1.3 steps/s there, beside other work.
"""

import ml_collections

from aigc_jax.config import REQUIRED, experiment


def get_config(size: str = "full") -> ml_collections.ConfigDict:
    full = dict(
        data=dict(
            name="image_folder",
            path=REQUIRED,
            image_size=32,
            colour=True,
            augment=("flip",),
            batch_size=32,
        ),
        networks=dict(
            net=dict(
                name="unet.UNet",
                channels=32,
                multipliers=(1, 2, 3),
                blocks=1,
                attention=(),  # the middle, at a quarter of the sides, always has it
                dropout=0.1,
                groups=8,
                label_classes=0,  # unconditional
                remat=False,  # True: less memory, a third more time
            ),
        ),
        optimizers=dict(
            net=dict(
                learning_rate=5e-4, schedule="cosine", warmup_steps=200, clip_norm=1.0, ema_decay=0.999, ema_warmup=True
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
        train=dict(steps=5000),
        evaluate=dict(every=500, batch_size=64, batches=4),
        sample=dict(
            every=500,
            n=36,
            sampler="ddim",
            steps=100,
            eta=1.0,
        ),
        checkpoint=dict(every=500, best="bits_per_dim"),
    )
    tiny = {
        "networks.net.channels": 4,
        "networks.net.multipliers": (1, 1),
        "networks.net.groups": 2,
        "sample.steps": 3,
        "method.bound_terms": 2,
    }
    return experiment(size, full, tiny)
