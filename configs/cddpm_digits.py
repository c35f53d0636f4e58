"""DDPM on 8 x 8 digits by class (Ho, Jain & Abbeel 2020, arXiv:2006.11239), with an embedding of the label added to
that of time (Nichol & Dhariwal 2021, arXiv:2102.09672, section 5).

    python main.py --config=configs/cddpm_digits.py --workdir=runs/cddpm_digits

The settings of `configs/ddpm_digits.py` with the classes of the data: a U-Net of 652,321 parameters. Samples are of
the classes in turn. Hardware: 2 CPU cores. Time: 2 minutes. Expected: digits of the class that is asked for, and about
4.3 bits/dim on the test split.
Measured once, seed 0, with jax 0.10.2, on 2 shared CPU cores in 6 min 37 s: 4.244 bits/dim (see `ddpm_digits.py` for
what that is worth); of 64 samples nearly all are the digit that was asked for. docs/utility.md says what classifiers
learn from them.
"""

import ml_collections

from aigc_jax.config import experiment


def get_config(size: str = "full") -> ml_collections.ConfigDict:
    full = dict(
        data=dict(
            name="digits",
            batch_size=32,
        ),
        networks=dict(
            net=dict(
                name="unet.UNet",
                channels=32,
                multipliers=(1, 2),
                blocks=1,
                attention=(),  # the middle, at 4 x 4, always has it
                dropout=0.0,
                groups=8,
                # label_classes: those of the data
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
            given="each",
            sampler="ddim",
            steps=100,
            eta=1.0,  # 0 keeps the early errors of a network trained this briefly: noise in place of images
        ),
        checkpoint=dict(every=500),
    )
    tiny = {
        "networks.net.channels": 4,
        "networks.net.multipliers": (1, 1),
        "networks.net.blocks": 1,
        "networks.net.groups": 2,
        "sample.steps": 3,
        "method.bound_terms": 2,
    }
    return experiment(size, full, tiny)
