"""A conditional GAN on Fashion-MNIST (Mirza & Osindero 2014, arXiv:1411.1784): garments of the class that is asked for.

    python main.py --config=configs/cgan_fashion_mnist.py --workdir=runs/cgan

The networks and settings of `dcgan_fashion_mnist`, where both read the label. Samples are of the classes in turn; of
one: --config.sample.given=7.
Hardware: 2 CPU cores. Time: about 20 minutes. Expected: garments of the class that is asked for.
Measured: not yet measured.

Table: GAN | DCGAN by class | Fashion-MNIST | not yet measured
表: GAN | 类别条件 DCGAN | Fashion-MNIST | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="dcgan_fashion_mnist",
    without=("networks.generator.label_classes", "networks.discriminator.label_classes"),  # those of the data
    full={"sample.given": "each"},
)
