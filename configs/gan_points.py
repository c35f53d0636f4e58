"""A GAN on points of a known density (Goodfellow et al. 2014, arXiv:1406.2661): which of its modes are found.

    python main.py --config=configs/gan_points.py --workdir=runs/gan_points

Other densities: --config.data.density=grid, moons, spiral, checkerboard.
Hardware: 2 CPU cores. Time: about a minute.
Expected: samples in the middle of all eight Gaussians of the ring, which they do not fill.
Measured once, seed 0, on 2 busy CPU cores with jax 0.10.2 in 1 min 23 s: 8 of 8 modes, JS 0.144 bits (draws of the
ring: 0.005), surprise -0.64 bits, and 2.5 % of the samples off the data. All densities: docs/ground-truth.md.

Table: GAN | fully connected | a known density in the plane | all 8 modes found, none filled; 1 min 23 s
表: GAN | 全连接 | 平面上的已知分布 | 8 个峰全部找到，但都没有填满；1 分 23 秒
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("gan_fashion_mnist", "data/points"),
    full={
        "networks.generator.widths": (128, 128, 128),
        "networks.discriminator.widths": (128, 128, 128),
        "optimizers.generator.learning_rate": 5e-4,
        "optimizers.discriminator.learning_rate": 5e-4,
        "method.latent": 16,
        "train.steps": 10_000,
    },
    tiny={
        "networks.generator.widths": (8, 8),
        "networks.discriminator.widths": (8, 8),
    },
)
