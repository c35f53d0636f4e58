"""A folder of your own images: docs/your-own-images.md. Few of them: samples and checkpoints come often."""

from aigc_jax.config import REQUIRED
from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="image_folder", path=REQUIRED, image_size=32, colour=True, augment=("flip",)),
        sample=dict(every=500, n=36),
        checkpoint=dict(every=500),
    ),
)
