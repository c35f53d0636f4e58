"""The help of LibreOffice, English and Chinese: 21,811 paragraphs with their translations; 400 samples judged.

    apt-get download libreoffice-help-en-us libreoffice-help-zh-cn
    mkdir -p data/manuals && for package in libreoffice-help-*.deb; do dpkg -x $package data/manuals; done
    pip install 'aigc_jax[text,evaluate]'

Paragraphs are translated from English to Chinese; the other way: --config.data.given=zh. Samples of test pages are held
against their translations. Pages are in one split, and what a test page shares with training is left out.

Table: help of LibreOffice, English and Chinese | `apt-get download` of two packages, which the head of
[configs/data/manuals.py](configs/data/manuals.py) names; 5 MB
表: LibreOffice 帮助，中英文 | `apt-get download` 两个包，见
[configs/data/manuals.py](configs/data/manuals.py) 的开头；5 MB
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="manuals",
            path="data/manuals",
            what="pairs",
            given="en",
            length=48,  # of 19 tokens of English and 16 of Chinese in the mean; the longest tenth are above 40
            source_length=48,
            tokenizer="bpe",
            vocabulary_size=8000,
            extra_tokens=0,
        ),
        evaluate=dict(batch_size=100),
        evals=dict(
            quality=dict(samples=0, extractor="", measures=()),  # held against their translations
            pairs=dict(samples=400, measures=("bleu", "chrf"), given="split:test"),
        ),
    ),
    tiny={
        "data.length": 12,
        "data.source_length": 12,
        "data.vocabulary_size": 300,
        "evals.quality.samples": 0,
        "evals.pairs.samples": 4,
    },
)
