"""Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747): 28 x 28 images of garments, ten classes; 1,000 samples judged.

Table: Fashion-MNIST | `apt-get install dataset-fashion-mnist` (Debian, Ubuntu), or any folder with the four IDX
files: `--config.data.path=FOLDER`
表: Fashion-MNIST |
`apt-get install dataset-fashion-mnist`（Debian、Ubuntu），或任何包含四个 IDX 文件的目录：`--config.data.path=FOLDER`
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="idx", path="/usr/share/datasets/fashion-mnist", validation=0, pad=0, augment=()),
        evals=dict(
            quality=dict(
                samples=1000,
                extractor="fashion_mnist",
                measures=("frechet", "kid", "precision_recall", "density_coverage"),
            ),
        ),
    ),
    tiny={"evals.quality.samples": 0},
)
