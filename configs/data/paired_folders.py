"""Two folders of your own images that belong together by their names; 100 samples judged.

    images/maps/train/1.png    images/photographs/train/1.jpg

Table: your own pairs of images | two folders with equal file names:
`--config.data.path=images --config.data.kinds="('maps', 'photographs')"`
表: 自己的成对图片 | 两个目录，文件名一一对应：`--config.data.path=images --config.data.kinds="('maps', 'photographs')"`
"""

from aigc_jax.config import REQUIRED
from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="paired_folders", path=REQUIRED, kinds=("A", "B"), image_size=64, colour=True, augment=("flip",)
        ),
        evals=dict(
            quality=dict(samples=0, extractor="", measures=()),  # pairs are held against their true images
            pairs=dict(samples=100, measures=("l1", "psnr", "ssim"), given="split:test"),
        ),
    ),
    tiny={"data.image_size": 16, "evals.quality.samples": 0, "evals.pairs.samples": 4},
)
