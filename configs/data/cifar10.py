"""CIFAR-10 (Krizhevsky 2009): 32 x 32 images in colour, in ten classes."""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="tfds", dataset="cifar10", image="image", label="label", image_size=0, pad=0, augment=("flip",)),
    ),
)
