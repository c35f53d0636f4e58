"""Pairs of emoji, 64 x 64: black lines, and the same drawing in flat colours. Whole subgroups are held out.

    npm install @iconify-json/fluent-emoji-high-contrast@1.2.6 @iconify-json/fluent-emoji-flat@1.2.6 \\
        emojibase-data@17.0.0
    pip install 'aigc_jax[emoji]'

Table: pairs of emoji, lines and colours | `npm install` of three packages, which the head of
[configs/data/emoji_pairs.py](configs/data/emoji_pairs.py) names
表: 表情符号的线稿与彩图 | `npm install` 三个包，见 [configs/data/emoji_pairs.py](configs/data/emoji_pairs.py) 的开头
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(name="emoji_pairs", path="node_modules", image_size=64, augment=("flip",)),
        evals=dict(
            quality=dict(samples=0, extractor="", measures=()),  # pairs are held against their true images
            pairs=dict(samples=244, measures=("l1", "psnr", "ssim"), given="split:test"),
        ),
    ),
    tiny={"data.image_size": 16, "evals.quality.samples": 0, "evals.pairs.samples": 4},
)
