"""The 8 x 8 digits of scikit-learn: 1,797 images of ten classes. Judged by 360 samples, as many as test images.

Table: digits, 8 × 8 | nothing to do
表: 8 × 8 手写数字 | 无需准备
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="digits"),
        evals=dict(
            quality=dict(
                samples=360, extractor="digits", measures=("frechet", "kid", "precision_recall", "density_coverage")
            ),
        ),
    ),
    tiny={"evals.quality.samples": 72},
)
