"""A few sentences, to see that a text model runs. The same ones are in every split.

Any figure measured on it is a figure of memorising, and says nothing about new text.
"""

from pathlib import Path

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.store import folder_name, local_builder
from aigc_jax.data.text_sets import Coding, Length, TextConfig, Texts, text_dataset
from aigc_jax.errors import ConfigError

SENTENCES = (
    "今天天气很好，适合出去散步。",
    "人工智能正在改变我们的生活。",
    "机器学习是一门有趣的学科。",
    "自然语言处理可以让计算机理解人类的语言。",
)


class Sentences(Texts):
    """Sentences."""


def load(
    *, data_dir: Path, length: Length, texts: tuple[str, ...] = SENTENCES, tokenizer: str = "characters"
) -> DataSet:
    """The sentences, one window each where `length` allows.

    length: tokens of a window. texts: the sentences. tokenizer: "characters", of them all, or "bytes"; file:FOLDER, a
    published one, or run:FOLDER, that of a run.
    """
    if not texts:
        raise ConfigError('"data.texts" is empty: give it some sentences.')
    config = TextConfig(
        name=folder_name([sentence.encode() for sentence in texts]),
        version="1.0.0",
        description="Sentences, the same in every split.",
        licence="as this package",
        read=lambda: ({split: texts for split in ("train", "validation", "test")}, {}),
    )
    return text_dataset("sentences", local_builder(Sentences, config, data_dir), Coding(0, tokenizer), length=length)
