"""Emoji in two styles, 64 x 64, unpaired: samples are held against the same emoji of the test split.

    npm install @iconify-json/noto@1.2.9 @iconify-json/fluent-emoji-flat@1.2.6 emojibase-data@17.0.0
    pip install 'aigc_jax[emoji]'

Table: emoji in two styles, unpaired | `npm install` of three packages, which the head of
[configs/data/emoji_styles.py](configs/data/emoji_styles.py) names
表: 两种画风的表情符号（不成对） | `npm install` 三个包，见
[configs/data/emoji_styles.py](configs/data/emoji_styles.py) 的开头
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="emoji_styles",
            path="node_modules",
            styles=("noto", "fluent"),
            image_size=64,
            rounds=4,
            augment=("flip",),
        ),
        evals=dict(
            quality=dict(samples=0, extractor="", measures=()),  # pairs are held against their true images
            pairs=dict(samples=158, measures=("l1", "psnr", "ssim"), given="split:test"),
        ),
    ),
    tiny={"data.image_size": 16, "data.rounds": 2, "evals.quality.samples": 0, "evals.pairs.samples": 4},
)
