"""BERT on LibreOffice's help in English, by word pieces (Devlin et al. 2019, arXiv:1810.04805): 15 % of them hidden.

    python main.py --config=configs/bert_help.py --workdir=runs/bert_help

The data come as configs/data/manuals.py says. It generates nothing: `fill` of the method's parts says what stands
behind masks. configs/bert_entities.py goes on from it.
Hardware: 1 CPU core. Time: about 6 minutes.
Measured once, seed 0, on one shared CPU core with jax 0.10.2 and train.steps=800, in 4 min: 8.737 bits a hidden word
piece of the test pages, of which 14.1 % are told rightly. It had just begun to read what stands beside them.

Table: Masked language model | BERT | LibreOffice's help |
8.737 bits a hidden word piece of the test pages after 800 steps; 4 min
表: 掩码语言模型 | BERT | LibreOffice 帮助 | 800 步后，测试页面每个被掩码词片 8.737 比特；4 分钟
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
