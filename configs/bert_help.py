"""BERT on LibreOffice's help in English, by word pieces (Devlin et al. 2019, arXiv:1810.04805): 15 % of them hidden.

    python main.py --config=configs/bert_help.py --workdir=runs/bert_help

The data come as configs/data/manuals.py says. It generates nothing: `fill` of the method's parts says what stands
behind masks. configs/bert_entities.py goes on from it.
Hardware: 1 CPU core. Time: 20 minutes.
Not yet measured.

Table: Masked language model | BERT | LibreOffice's help | not yet measured
表: 掩码语言模型 | BERT | LibreOffice 帮助 | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start="bert_tang",
    full={
        "data": dict(
            name="manuals",
            path="data/manuals",
            what="english",
            length=64,
            tokenizer="wordpiece",
            vocabulary_size=8000,
            extra_tokens=1,
            batch_size=32,
        ),
    },
    tiny={"data.tokenizer": "characters", "data.vocabulary_size": 60},
)
