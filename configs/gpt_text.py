"""A character-level GPT on your own texts (Radford et al. 2019, Language models are unsupervised multitask learners).

    python main.py --config=configs/gpt_text.py --workdir=runs/gpt_text --config.data.path=FOLDER

FOLDER holds plain text files, or is one: a long book, or many files, in any language: docs/your-own-texts.md.
A prompt: --config.sample.condition="The beginning". Hardware: 2 CPU cores. Time: not yet measured.
Expected: fewer bits a character on the test split than an n-gram (python benchmarks/ngram.py).
"""

import ml_collections

from aigc_jax.config import REQUIRED, experiment


def get_config(size: str = "full") -> ml_collections.ConfigDict:
    full = dict(
        data=dict(
            name="text_folder",
            path=REQUIRED,
            documents="files",  # "blank_lines": poems, recipes or messages that stand together in a file
            length=128,
            vocabulary_size=4000,  # of Chinese about 99 %, of an alphabet all
            batch_size=32,
        ),
        networks=dict(
            net=dict(
                name="transformer.Transformer",
                layers=4,
                width=128,
                heads=4,
                dropout=0.1,  # a book of one's own is read many times
                tied=True,
                remat=False,  # True: less memory, a third more time
            ),
        ),
        optimizers=dict(
            net=dict(
                name="adamw",
                learning_rate=3e-3,
                schedule="cosine",
                warmup_steps=100,
                b2=0.99,  # few tokens a batch: a longer average than the 0.95 of large batches
                weight_decay=0.1,
                clip_norm=1.0,
            ),
        ),
        method=dict(
            name="autoregressive",
            temperature=0.9,
            top_k=0,
            top_p=0.95,
        ),
        train=dict(steps=1500, steps_per_call=4),
        evaluate=dict(batch_size=64, every=500, samples=64, measures=("distinct_2", "copied_10")),
        checkpoint=dict(every=500, best="bits_per_char"),
        sample=dict(n=16, every=500),
    )
    tiny = {
        "evaluate.samples": 0,
        "data.length": 12,
        "data.vocabulary_size": 40,
        "networks.net.layers": 2,
        "networks.net.width": 16,
        "networks.net.heads": 2,
        "optimizers.net.warmup_steps": 2,
    }
    return experiment(size, full, tiny)
