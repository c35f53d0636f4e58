"""A character-level GPT on your own texts (Radford et al. 2019, Language models are unsupervised multitask learners).

    python main.py --config=configs/gpt_text.py --workdir=runs/gpt_text --config.data.path=FOLDER

FOLDER holds plain text files, or is one: a long book, or many files, in any language: docs/your-own-texts.md.
A prompt: --config.sample.given="The beginning". Hardware: 2 CPU cores. Time: about 15 minutes, by the 0.32 s of
processor time that a step took. Expected: fewer bits a character on the test split than the 5-gram with Kneser-Ney
smoothing of `aigc_jax.metrics.ngram` (python benchmarks/ngram.py --config=configs/gpt_text.py --path=FOLDER).
Not yet measured in full. In part, once, seed 0, with jax 0.10.2: on the Jargon File 4.4.7 (Debian's jargon-text, one
file of 1.6 million characters) 800 steps, of which 700 on the way to 1500 and 100 on the way to 800, took 13 min on
2 crowded cores and gave 2.813 bits/char on the test split, where the 5-gram has 2.434: too few steps. The samples have
the file's marks, brackets and line lengths, and every second word is English.
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
        ),
        train=dict(steps=4000, steps_per_call=4),
        evaluate=dict(batch_size=64, every=1000, samples=64, measures=("distinct_2", "copied_10")),
        checkpoint=dict(every=1000, best="bits_per_char"),
        sample=dict(
            n=16,
            every=1000,
            temperature=0.9,
            top_k=0,
            top_p=0.95,
        ),
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
