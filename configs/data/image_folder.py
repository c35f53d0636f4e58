"""A folder of your own images: docs/your-own-images.md. Few of them: samples and checkpoints come often.

Table: your own images | a folder of them: [docs/your-own-images.md](docs/your-own-images.md)
表: 自己的图片 | 一个图片目录：[docs/your-own-images.md](docs/your-own-images.md)
"""

from aigc_jax.config import REQUIRED
from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="image_folder", path=REQUIRED, image_size=32, colour=True, augment=("flip",)),
        evals=dict(quality=dict(samples=0, extractor="", measures=())),  # judged by the method's own measures alone
        sample=dict(every=500, n=36),
        checkpoint=dict(every=500),
    ),
    tiny={"evals.quality.samples": 0},
)
