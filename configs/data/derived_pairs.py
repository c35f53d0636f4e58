"""Edges of emoji, and the emoji: pairs that are derived from any set of images, `--config.data.of.name=…`.

Other pairs: `--config.data.derive=grey`, `small` or `quarter`, and damage that is drawn: `noisy`, `blurred`, `masked`
or `mixed`, with `--config.data.rounds=8` another one of a training image in each of 8 rounds.

Table: edges of any set of images, grey, small or damaged copies | as that set: `--config.data.of.name=…`
表: 任意图像数据集的边缘图，灰度、缩小或受损的副本 | 同该数据集：`--config.data.of.name=…`
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="derived_pairs",
            of=dict(
                name="emoji",
                path="node_modules",
                styles=("noto", "twemoji", "openmoji", "fluent"),
                image_size=64,
                augment=("flip",),
            ),
            derive="edges",
        ),
        evals=dict(
            quality=dict(samples=0, extractor="", measures=()),  # pairs are held against their true images
            pairs=dict(samples=600, measures=("l1", "psnr", "ssim"), given="split:test"),
        ),
    ),
    tiny={"data.of.image_size": 16, "evals.quality.samples": 0, "evals.pairs.samples": 4},
)
