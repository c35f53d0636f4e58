"""DCGAN on a folder of your own images (Radford et al. 2016, arXiv:1511.06434).

    python main.py --config=configs/dcgan_images.py --workdir=runs/mine --config.data.path=FOLDER

The paper's layers, initial weights and optimizer, with three doublings. It fits 32, 48, 64 and other multiples of 8:
change data.image_size alone; at 64 the paper has four: widths (512, 256, 128, 64) and (64, 128, 256, 512).
docs/your-own-images.md says how the folder looks, and how to see whether the model works.
It needs a few thousand images: with a few hundred the discriminator learns them by heart, and samples become few
pictures in many copies. ddpm_images is the better choice there. Twenty thousand: train.steps=30000.
On a GPU: train.steps_per_call=10, and the widths twice as large.
Hardware: 2 CPU cores, or any GPU.
Measured once, seed 0, on 1,420 emoji of 32 pixels (Noto, white ground; 1,278 to train on) on 2 shared CPU cores, jax
0.10.2, in 27 min: sharp outlines and flat colours, yellow faces and signs that one can name; about half of 36 are
fragments of several emoji. The audit of 256 samples found no copies (p = 1).
KID-efficientnet_lite0 of 500 samples 0.092.
"""

import ml_collections

from aigc_jax.config import REQUIRED, experiment


def get_config(size: str = "full") -> ml_collections.ConfigDict:
    adversary = dict(learning_rate=2e-4, b1=0.5)  # section 4
    full = dict(
        data=dict(
            name="image_folder",
            path=REQUIRED,
            image_size=32,
            colour=True,
            augment=("flip",),
            batch_size=64,
        ),
        networks=dict(
            generator=dict(name="dcgan.Generator", widths=(256, 128, 64)),
            discriminator=dict(name="dcgan.Discriminator", widths=(64, 128, 256)),
        ),
        optimizers=dict(
            generator=dict(**adversary, ema_decay=0.999, ema_warmup=True),  # averaged: Yazıcı et al. 2019
            discriminator=adversary,
        ),
        method=dict(
            name="gan",
            loss="non_saturating",
            latent=100,
            discriminator_steps=1,
        ),
        train=dict(steps=6000),
        sample=dict(every=500, n=36),
        checkpoint=dict(every=500),
    )
    tiny = {
        "networks.generator.widths": (8, 4),
        "networks.discriminator.widths": (4, 8),
        "method.latent": 4,
    }
    return experiment(size, full, tiny)
