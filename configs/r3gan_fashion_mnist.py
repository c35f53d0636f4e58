"""R3GAN on Fashion-MNIST (Huang et al. 2024, arXiv:2501.05441).

    python main.py --config=configs/r3gan_fashion_mnist.py --workdir=runs/r3gan

The paper's game: a relativistic pairing of real and generated images, with penalties on the discriminator's gradient at
both (R1 and R2), in every step. Its blocks too, one a stage of 28, 14 and 7 pixels in place of two, with 8, 32 and 64
channels. The rate is five times the paper's, for a run of a few hundred thousand images; with 3e-3 the shapes of 600
steps were worse than with 1e-3.
Size: networks.generator.channels and networks.discriminator.channels.
Hardware: 2 CPU cores. Time: about 20 minutes. Expected: garments whose outlines are clear, of every class.
Measured: not yet measured.

Table: GAN | R3GAN | Fashion-MNIST | not yet measured
表: GAN | R3GAN | Fashion-MNIST | 尚未测量
"""

from aigc_jax.experiments import Experiment

sizes = dict(label_classes=0, channels=8, blocks=1, group=16)
adversary = dict(learning_rate=1e-3, b1=0.0, b2=0.99)

get_config = Experiment(
    start="gan_fashion_mnist",
    full={
        "data.batch_size": 64,
        "networks.generator": dict(sizes, name="r3gan.Generator", multipliers=(8, 4, 1)),
        "networks.discriminator": dict(sizes, name="r3gan.Discriminator", multipliers=(1, 4, 8)),
        "optimizers.generator": adversary,
        "optimizers.discriminator": adversary,
        "method.loss": "relativistic",
        "method.latent": 64,
        "method.r1": 0.1,
        "method.r2": 0.1,
        "train.steps": 10_000,
        "sample.every": 2000,
    },
    tiny={
        "networks.generator.channels": 2,
        "networks.generator.multipliers": (2, 1),
        "networks.generator.group": 2,
        "networks.discriminator.channels": 2,
        "networks.discriminator.multipliers": (1, 2),
        "networks.discriminator.group": 2,
    },
)
