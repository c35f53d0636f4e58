"""GPT-2 small on OpenWebText (Radford et al. 2019, Language models are unsupervised multitask learners).

    python main.py --config=configs/gpt2_openwebtext.py --workdir=runs/gpt2

data/openwebtext holds the text files of the corpus (Gokaslan & Cohen 2019), one a document; data/gpt2 holds vocab.json
and merges.txt of GPT-2. 124 million weights: 12 layers, 768 values wide, 12 heads, 1024 tokens. The optimizer's
settings are those of nanoGPT (Karpathy 2022): AdamW, 6e-4 after 2,000 steps, then by a cosine to 6e-5, weight decay
0.1, batches of 480 rows, 600,000 steps, no dropout. All tokens are read into memory, 4 bytes each, and the texts.
Hardware: 8 GPUs of 40 GB; accumulate=5 parts a batch. Not yet measured.
Bits a byte compare with other tokenizers; nats a token are bits_per_byte × ln 2 × bytes a token.

Table: Autoregressive | GPT-2 small, nanoGPT's settings | OpenWebText | not yet measured
表: 自回归模型 | GPT-2 small，nanoGPT 的设置 | OpenWebText | 尚未测量
"""

from aigc_jax.experiments import Experiment

get_config = Experiment(
    start=("gpt_tang", "data/text_folder"),
    full={
        "data.path": "data/openwebtext",
        "data.tokenizer": "file:data/gpt2",
        "data.vocabulary_size": 0,  # the tokenizer's
        "data.pack": True,
        "data.length": 1024,
        "data.batch_size": 480,
        "networks.net": dict(
            name="transformer.Transformer", layers=12, width=768, heads=12, dropout=0.0, tied=True, remat=False
        ),
        "optimizers.net.learning_rate": 6e-4,
        "optimizers.net.warmup_steps": 2000,
        "optimizers.net.b2": 0.95,
        "optimizers.net.accumulate": 5,
        "precision": "bfloat16",
        "train.steps": 600_000,
        "evaluate.every": 10_000,
        "checkpoint.every": 10_000,
        "sample.every": 10_000,
    },
    tiny={"data.pack": False, "optimizers.net.accumulate": 1, "precision": "float32"},
)
