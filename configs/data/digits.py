"""The 8 x 8 digits of scikit-learn: 1,797 images of ten classes. Judged by 360 samples, as many as test images."""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="digits"),
        evaluate=dict(
            samples=360, extractor="digits", measures=("frechet", "kid", "precision_recall", "density_coverage")
        ),
    ),
    tiny={"evaluate.samples": 72},
)
