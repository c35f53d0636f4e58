"""The help of LibreOffice, English to Chinese: 21,811 pairs of paragraphs to learn from, by word pieces.

    apt-get download libreoffice-help-en-us libreoffice-help-zh-cn
    for package in libreoffice-help-*.deb; do dpkg -x $package data/manuals; done

Table: translation, titles, modules and texts of manuals | `apt-get download` of two packages, which the head of
[configs/data/manuals.py](configs/data/manuals.py) names
表: 手册的翻译、标题、分类与正文 | `apt-get download` 两个包，
见 [configs/data/manuals.py](configs/data/manuals.py) 的开头
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="manuals",
            path="data/manuals",
            what="pairs",  # "titles", "modules", "english" or "chinese"
            given="en",
            length=96,
            source_length=96,
            tokenizer="unigram",
            vocabulary_size=8000,  # of both languages
        ),
        evaluate=dict(batch_size=64),
        evals=dict(quality=dict(samples=0, extractor="", measures=())),  # judged by the method's own measures alone
    ),
    tiny={"data.length": 16, "data.source_length": 16, "data.tokenizer": "characters", "data.vocabulary_size": 60},
)
