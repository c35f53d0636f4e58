"""BERT on LibreOffice's help in English, by word pieces (Devlin et al. 2019, arXiv:1810.04805): 15 % of them hidden.

    python main.py --config=configs/bert_help.py --workdir=runs/bert_help

The data come as configs/data/manuals.py says. It generates nothing: `fill` of the method's parts says what stands
behind masks. configs/bert_entities.py goes on from it.
Hardware: 1 CPU core. Time: about 20 minutes.
Measured once, seed 0, on one shared CPU core with jax 0.10.2 in 23 min: 7.56 [7.46, 7.66] bits a hidden word piece of
the test pages, of which 18.2 % [17.4, 19.1] are told rightly. After half of the steps it was 8.16 bits.

Table: Masked language model | BERT | LibreOffice's help |
7.56 [7.46, 7.66] bits a hidden word piece of the test pages; 23 min on a shared core
表: 掩码语言模型 | BERT | LibreOffice 帮助 |
测试页面每个被掩码词片 7.56 [7.46, 7.66] 比特；与其他任务共用单核 23 分钟
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
        "train.steps": 4000,
        "evaluate.every": 2000,
        "checkpoint.every": 2000,
    },
    tiny={"data.tokenizer": "characters", "data.vocabulary_size": 60},
)
