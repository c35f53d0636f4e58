"""What the sets of texts share: a builder over lists of texts, and windows cut from it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow_datasets as tfds

from aigc_jax.data.dataset import DataSet, TextSource
from aigc_jax.data.store import LocalInfo, cached
from aigc_jax.data.text import TextMedium, common_characters
from aigc_jax.ranges import at_least

Length = Annotated[int, at_least(2)]  # tokens that a network reads at once
UTF32 = "utf-32-le"  # characters as an array of code points


@dataclass
class TextConfig(tfds.core.BuilderConfig):
    """Where the texts come from. read: called once, to prepare; -> (split -> texts, what to count)."""

    read: Callable[[], tuple[Mapping[str, Sequence[str]], Mapping[str, int]]] = lambda: ({}, {})
    homepage: str = ""
    citation: str = ""
    licence: str = ""


class Texts(tfds.core.GeneratorBasedBuilder):
    """UTF-8 texts in their order. The sets of texts are named subclasses."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        return LocalInfo(
            builder=self,
            description=config.description,
            features=tfds.features.FeaturesDict({"text": tfds.features.Text()}),
            disable_shuffling=True,
            homepage=config.homepage,
            license=config.licence,
            citation=config.citation,
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        splits, counts = self.builder_config.read()
        self.info.metadata.update(counts)
        return {split: self._generate_examples(texts) for split, texts in splits.items()}

    def _generate_examples(self, texts: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        for key, text in enumerate(texts):
            yield key, {"text": text}


def read_texts(builder: Any, split: str) -> list[str]:
    """The texts of a prepared split, in their order."""
    source = builder.as_data_source(split)
    return [record["text"].decode("utf-8") for record in source.__getitems__(list(range(len(source))))]


def text_dataset(name: str, builder: Any, *, length: int, vocabulary_size: int) -> DataSet:
    """The windows of a prepared set of texts, in memory, with the vocabulary of its training split.

    length: tokens that a network reads at once; vocabulary_size: characters, the most frequent; 0 = all.
    """
    splits = list(builder.info.splits)

    def make() -> dict[str, np.ndarray]:
        texts = {split: read_texts(builder, split) for split in splits}
        characters = common_characters(texts["train"], vocabulary_size)
        medium = TextMedium(characters, length)
        windows = {f"{split}.tokens": medium.windows(texts[split]) for split in splits}
        return {"characters": np.frombuffer(characters.encode(UTF32), np.uint32), **windows}

    keys = ["characters", *(f"{split}.tokens" for split in splits)]
    arrays = cached(Path(builder.data_dir) / f"windows_{length}_{vocabulary_size}", keys, make)
    medium = TextMedium(arrays["characters"].tobytes().decode(UTF32), length)
    sources = {
        split: TextSource({"tokens": arrays[f"{split}.tokens"]}, partial(read_texts, builder, split))
        for split in splits
    }
    return DataSet(name, sources, medium, medium.facts, Path(builder.data_dir))
