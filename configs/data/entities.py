"""What the words of LibreOffice's help stand for, in English, by word pieces: 22,737 paragraphs to learn from.

    apt-get download libreoffice-help-en-us libreoffice-help-zh-cn
    mkdir -p data/manuals && for package in libreoffice-help-*.deb; do dpkg -x $package data/manuals; done

Table: entities in manuals | `apt-get download` of two packages, which the head of
[configs/data/entities.py](configs/data/entities.py) names
表: 手册中的实体 | `apt-get download` 两个包，见 [configs/data/entities.py](configs/data/entities.py) 的开头
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="entities",
            path="data/manuals",
            language="en",
            length=128,
            tokenizer="wordpiece",
            vocabulary_size=8000,
        ),
        evaluate=dict(batch_size=64),
        evals=dict(quality=dict(samples=0, extractor="", measures=())),  # judged by the method's own measures alone
    ),
    tiny={"evals.quality.samples": 0, "data.length": 16, "data.tokenizer": "characters", "data.vocabulary_size": 60},
)
