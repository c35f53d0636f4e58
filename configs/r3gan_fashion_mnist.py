"""R3GAN on Fashion-MNIST (Huang et al. 2024, arXiv:2501.05441).

    python main.py --config=configs/r3gan_fashion_mnist.py --workdir=runs/r3gan

The paper's game: a relativistic pairing of real and generated images, with penalties on the discriminator's gradient at
both (R1 and R2), in every step. Its blocks too, one a stage of 28, 14 and 7 pixels in place of two, with 8, 32 and 64
channels. The rate is five times the paper's, for a run of a few hundred thousand images; with 3e-3 the shapes of 600
steps were worse than with 1e-3.
Size: networks.generator.channels and networks.discriminator.channels.
Hardware: 2 CPU cores. Time: about 20 minutes. Expected: garments whose outlines are clear, of every class.
Measured twice with jax 0.10.2 on one CPU core, in 35 min and, shared with others, in 52: shirts, trousers, dresses,
bags, shoes and boots with clear outlines, one in eight joins parts of two. Seed 0: FD-fashion_mnist 0.59 [0.42, 0.75],
recall 0.80; after 5,000 steps 0.78 [0.63, 0.93]; the discriminator is right about 83 % of test images and fakes. Seed
1: 0.36 [0.21, 0.49], recall 0.76.

Table: GAN | R3GAN | Fashion-MNIST | clear outlines, one in eight of two parts, FD 0.59 and 0.36; 35 min on one core
表: GAN | R3GAN | Fashion-MNIST | 轮廓清晰，约八分之一由两部分拼成，FD 0.59 与 0.36；单核 35 分钟
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
