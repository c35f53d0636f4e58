"""Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747): 28 x 28 images of garments, ten classes; 1,000 samples judged."""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="idx", path="/usr/share/datasets/fashion-mnist", validation=0, pad=0, augment=()),
        evaluate=dict(
            samples=1000, extractor="fashion_mnist", measures=("frechet", "kid", "precision_recall", "density_coverage")
        ),
    ),
    tiny={"evaluate.samples": 0},
)
