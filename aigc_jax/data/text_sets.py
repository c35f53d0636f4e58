"""What the sets of texts share: a builder over lists of texts, and windows cut from it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from aigc_jax.data.dataset import DataSet, TextSource
from aigc_jax.data.fields.texts import Text, common_characters
from aigc_jax.data.store import LocalInfo, cached, folder_name
from aigc_jax.ranges import at_least

Length = Annotated[int, at_least(2)]  # tokens that a network reads at once
TEXT = "text"  # the field
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


def text_dataset(name: str, builder: Any, *, length: int, vocabulary_size: int, notes: Sequence[str] = ()) -> DataSet:
    """The windows of a prepared set of texts, in memory, with the vocabulary of its training split.

    length: tokens that a network reads at once; vocabulary_size: characters, the most frequent; 0 = all.
    notes: lines that say what was read, changed and left out.
    """
    folder = Path(builder.data_dir)
    reads = {split: partial(read_texts, builder, split) for split in builder.info.splits}
    choose = partial(common_characters, size=vocabulary_size)
    encoded = _encoded(folder / f"windows_{length}_{vocabulary_size}", reads, choose, length)
    notes = (*notes, encoded.covered())
    return DataSet(name, encoded.splits, {TEXT: encoded.field}, TEXT, folder=folder, notes=notes)


def recoded(data: DataSet, field: Text) -> DataSet:
    """The same texts in another vocabulary, such as a trained network's: characters that it lacks become <unk>."""
    reads = {split: source.texts for split, source in data.splits.items() if isinstance(source, TextSource)}
    assert data.folder is not None and reads.keys() == data.splits.keys()
    name = f"windows_{field.length}_{folder_name([field.characters.encode(UTF32)])}"
    encoded = _encoded(data.folder / name, reads, lambda _: field.characters, field.length)
    notes = (*data.notes[:-1], encoded.covered())
    return replace(data, splits=encoded.splits, fields={TEXT: field}, notes=notes)


class Encoded(NamedTuple):
    """Texts in a vocabulary. unknown, characters: of each split, those outside the vocabulary, and all."""

    field: Text
    splits: dict[str, TextSource]
    unknown: dict[str, int]
    characters: dict[str, int]

    def covered(self) -> str:
        """A line about the vocabulary."""
        shares = [f"{1 - self.unknown[s] / max(1, self.characters[s]):.2%} of {s}" for s in self.splits]
        left = sum(self.unknown.values())
        unknown = f"; {left:,} characters are read as <unk>" if left else ""
        return f"Vocabulary: {len(self.field.characters):,} characters, which cover {', '.join(shares)}{unknown}."


def _encoded(
    folder: Path, reads: Mapping[str, Callable[[], list[str]]], choose: Callable[[list[str]], str], length: int
) -> Encoded:
    """Windows of length + 1 tokens of each split's texts, made once and kept in `folder`.

    choose: the training split's texts -> the vocabulary.
    """

    def make() -> dict[str, np.ndarray]:
        texts = {split: read() for split, read in reads.items()}
        characters = choose(texts["train"])
        field, known = Text(characters, length), set(characters)
        arrays = {"characters": np.frombuffer(characters.encode(UTF32), np.uint32)}
        for split, own in texts.items():
            counts = Counter(character for text in own for character in text)
            unknown = sum(count for character, count in counts.items() if character not in known)
            arrays[f"{split}.tokens"] = field.windows(own)
            arrays[f"{split}.counts"] = np.array([unknown, counts.total()])
        return arrays

    keys = ["characters", *(f"{split}.{what}" for split in reads for what in ("tokens", "counts"))]
    arrays = cached(folder, keys, make)
    return Encoded(
        Text(arrays["characters"].tobytes().decode(UTF32), length),
        {split: TextSource({TEXT: arrays[f"{split}.tokens"]}, read) for split, read in reads.items()},
        {split: int(arrays[f"{split}.counts"][0]) for split in reads},
        {split: int(arrays[f"{split}.counts"][1]) for split in reads},
    )
