"""Two folders of your own images that do not belong together, such as photographs and paintings.

Table: your own two kinds of images, unpaired | two folders:
`--config.data.path=images --config.data.kinds="('horses', 'zebras')"`
表: 自己的两类图片（不成对） | 两个目录：`--config.data.path=images --config.data.kinds="('horses', 'zebras')"`
"""

from aigc_jax.config import REQUIRED
from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="unpaired_folders",
            path=REQUIRED,
            kinds=("A", "B"),
            image_size=64,
            colour=True,
            rounds=4,
            augment=("flip",),
        ),
        evals=dict(quality=dict(samples=0, extractor="", measures=())),  # looked at: there are no true images
    ),
    tiny={"data.image_size": 16, "data.rounds": 2, "evals.quality.samples": 0},
)
