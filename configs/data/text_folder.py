"""A folder of your own texts, or one long book, by characters: docs/your-own-texts.md; 64 samples judged.

Table: your own texts | a folder of text files, or one long book: [docs/your-own-texts.md](docs/your-own-texts.md)
表: 自己的文本 | 一个文本目录，或一本书：[docs/your-own-texts.md](docs/your-own-texts.md)
"""

from aigc_jax.config import REQUIRED
from aigc_jax.experiments import Experiment

get_config = Experiment(
    full=dict(
        data=dict(
            name="text_folder",
            path=REQUIRED,
            documents="files",  # "blank_lines": poems, recipes or messages that stand together in a file
            length=128,
            vocabulary_size=4000,  # of Chinese about 99 %, of an alphabet all
        ),
        evaluate=dict(batch_size=64),
        evals=dict(quality=dict(samples=64, extractor="", measures=("distinct_2", "copied_10"))),
    ),
    tiny={"evals.quality.samples": 0, "data.length": 12, "data.vocabulary_size": 40},
)
