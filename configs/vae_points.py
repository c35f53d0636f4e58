"""A VAE on points of a known density (Kingma & Welling 2014, arXiv:1312.6114): how far its bound is from the truth.

    python main.py --config=configs/vae_points.py --workdir=runs/vae_points

Other densities: --config.data.density=grid, moons, spiral, checkerboard.
Hardware: 2 CPU cores. Time: under a minute.
Expected: a ring on which the eight Gaussians can be told, and a third of the samples between them.
Measured once, seed 0, on 2 busy CPU cores with jax 0.10.2 in 54 s: 6.917 bits/dim, bounds of -9.569 and -9.300 nats
with 1 and 100 samples, the latter 0.97 bits above the entropy of the ring; JS 0.252 bits (draws of the ring: 0.005),
and 34 % of the samples off the data. All densities: docs/ground-truth.md.
"""

import ml_collections

from aigc_jax.config import experiment


def get_config(size: str = "full") -> ml_collections.ConfigDict:
    full = dict(
        data=dict(
            name="points",
            density="ring",
            examples=100_000,
            batch_size=256,
        ),
        networks=dict(
            net=dict(
                name="mlp.VAE",
                widths=(128, 128),
                latent=2,
                parameters=2,  # location and scale of each value
            ),
        ),
        optimizers=dict(
            net=dict(learning_rate=1e-3, schedule="cosine", warmup_steps=200, ema_decay=0.999, ema_warmup=True),
        ),
        method=dict(
            name="vae",
            likelihood="discretized_logistic",
            scale=0.0,  # the decoder gives it
            beta=1.0,
            importance_samples=(1, 100),
        ),
        train=dict(steps=10_000, steps_per_call=100, log_every=1000),
        evaluate=dict(
            batch_size=2000,
            samples=10_000,
            measures=("jensen_shannon", "surprise", "off_data", "modes"),
        ),
        sample=dict(n=4000),
        checkpoint=dict(every=5000),
    )
    tiny = {
        "data.examples": 64,
        "networks.net.widths": (8, 8),
        "optimizers.net.warmup_steps": 2,
        "method.importance_samples": (1, 2),
        "evaluate.samples": 16,
    }
    return experiment(size, full, tiny)
