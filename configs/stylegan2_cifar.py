"""StyleGAN2-ADA on CIFAR-10 with the settings of the paper (Karras et al. 2020, arXiv:2006.06676, appendix D).

    python main.py --config=configs/stylegan2_cifar.py --workdir=runs/stylegan2_cifar

Without classes. 512 channels at all of 4, 8, 16 and 32 pixels, no mixing, no path length, a discriminator without
residual connections, groups of 32, R1 in every 16th step with weight 0.01, the average's half-life 500,000 images, and
100 million images in all. With classes: networks.*.label_classes=10, networks.discriminator.label_depth=8.
Hardware: GPUs; the batch is split over them.
Expected: the authors give FID 2.92 of 50,000 samples against the training split, and 2.42 with classes.
Measured: not yet measured.

Table: GAN | StyleGAN2-ADA, the paper's settings | CIFAR-10 | not yet measured
表: GAN | StyleGAN2-ADA、论文原版设置 | CIFAR-10 | 尚未测量
"""

from aigc_jax.experiments import Experiment

IMAGES, BATCH, HALF_LIFE = 100_000_000, 64, 500_000

size = dict(channels=512, most=512, halvings=3)

get_config = Experiment(
    start=("stylegan2_fashion_mnist", "data/cifar10"),
    full={
        "data.batch_size": BATCH,
        "data.augment": (),
        "networks.generator": dict(size, name="stylegan2.Generator", width=512, depth=2, mixing=0.0, label_classes=0),
        "networks.discriminator": dict(
            size, name="stylegan2.Discriminator", residual=False, group=32, label_depth=0, label_classes=0
        ),
        "optimizers.generator.learning_rate": 0.0025,
        "optimizers.generator.b2": 0.99,
        "optimizers.generator.ema_decay": 0.5 ** (BATCH / HALF_LIFE),
        "method.latent": 512,
        "method.path_length": 0.0,
        "method.augmentation": ("ada_blit", "ada_geometry", "ada_color"),
        "method.augmentation_target": 0.6,
        "train.steps": IMAGES // BATCH,
        "train.steps_per_call": 4,
        "sample.every": 10_000,
        "checkpoint.every": 10_000,
    },
)
