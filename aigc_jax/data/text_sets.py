"""What the sets of texts share: builders over lists of texts, tokenizers, and the rows of tokens made of both."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from aigc_jax.data.dataset import ArraySource, DataSet, TextSource
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.fields.texts import Text
from aigc_jax.data.store import LocalInfo, cached, folder_name
from aigc_jax.data.tokenizers import Learnt, is_ready, learnt
from aigc_jax.ranges import at_least

Length = Annotated[int, at_least(2)]  # tokens that a network reads at once
TEXT = "text"  # the field


@dataclass
class TextConfig(tfds.core.BuilderConfig):
    """Where the texts come from. read: called once, to prepare; -> (split -> texts, what to count)."""

    read: Callable[[], tuple[Mapping[str, Sequence[Any]], Mapping[str, int]]] = lambda: ({}, {})
    homepage: str = ""
    citation: str = ""
    licence: str = ""


class Texts(tfds.core.GeneratorBasedBuilder):
    """UTF-8 texts in their order. The sets of texts are named subclasses."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self._described({"text": tfds.features.Text()})

    def _described(self, features: Mapping[str, Any]) -> tfds.core.DatasetInfo:
        config = self.builder_config
        return LocalInfo(
            builder=self,
            description=config.description,
            features=tfds.features.FeaturesDict(features),
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


@dataclass
class TableConfig(TextConfig):
    """As `TextConfig`, of records. columns: their names; read: -> (split -> records, column -> text; counts)."""

    columns: tuple[str, ...] = ()


class Table(Texts):
    """Records of UTF-8 texts in their order. The sets of records are named subclasses."""

    def _info(self) -> tfds.core.DatasetInfo:
        features = {column: tfds.features.Text() for column in self.builder_config.columns}
        return self._described(features)

    def _generate_examples(self, texts: Sequence[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        yield from enumerate(texts)


def read_texts(builder: Any, split: str) -> list[str]:
    """The texts of a prepared split, in their order."""
    source = builder.as_data_source(split)
    return [record["text"].decode("utf-8") for record in source.__getitems__(list(range(len(source))))]


class Coding(NamedTuple):
    """How texts become tokens: keys of section `data`.

    vocabulary_size: tokens at most, of characters the most frequent; 0 = all. tokenizer: "characters", "bytes", "bpe",
    "wordpiece" or "unigram", learnt from the training split; file:FOLDER, a published one, or run:FOLDER, that of a
    run. extra_tokens: further ones, of which the first is the mask.
    """

    vocabulary_size: int
    tokenizer: str = "characters"
    extra_tokens: int = 0


def text_dataset(
    name: str, builder: Any, coding: Coding, *, length: int, pack: bool = False, notes: Sequence[str] = ()
) -> DataSet:
    """The windows of a prepared set of texts, in memory.

    length: tokens that a network reads at once. pack: texts follow each other in a window. notes: what was read,
    changed and left out, a line each.
    """
    reads = {split: partial(read_texts, builder, split) for split in builder.info.splits}
    learnt = _learnt(Path(builder.data_dir), coding, reads["train"])
    field = Text(learnt.model, length, learnt.kind, coding.extra_tokens, pack)
    encoded = _encoded(Path(builder.data_dir), {TEXT: field}, reads)
    sources = {split: TextSource(arrays, reads[split]) for split, arrays in encoded.splits.items()}
    notes = (*notes, encoded.covered())
    return DataSet(name, sources, {TEXT: field}, TEXT, folder=Path(builder.data_dir), notes=notes)


def table_dataset(
    name: str,
    builder: Any,
    coding: Coding,
    *,
    target: str,
    lengths: Mapping[str, int],
    labels: Mapping[str, Sequence[str]] | None = None,
    notes: Sequence[str] = (),
) -> DataSet:
    """Rows of several texts, such as a sentence and its translation, in one vocabulary; a row a record.

    target: the column that is generated. lengths: column of texts -> tokens that a network reads of it; what is longer
    is cut, and counted. labels: column of classes -> their names. The rest as `text_dataset`.
    """
    folder, labels = Path(builder.data_dir), labels or {}
    reads = {split: partial(read_columns, builder, split) for split in builder.info.splits}

    def train() -> list[str]:
        columns = reads["train"]()
        return [text for column in lengths for text in columns[column]]

    learnt = _learnt(folder, coding, train, tuple(lengths))
    texts = {column: Text(learnt.model, length, learnt.kind, coding.extra_tokens) for column, length in lengths.items()}
    encoded = _encoded(folder, texts, reads, labels)
    sources = {split: ArraySource(arrays) for split, arrays in encoded.splits.items()}
    fields = {**texts, **{column: Label(tuple(names)) for column, names in labels.items()}}
    return DataSet(name, sources, fields, target, folder=folder, notes=(*notes, encoded.covered()))


def _learnt(folder: Path, coding: Coding, texts: Callable[[], list[str]], columns: tuple[str, ...] = ()) -> Learnt:
    """What a tokenizer has learnt, kept in `folder`. columns: where the texts come from."""
    size, tokenizer, _ = coding
    if is_ready(tokenizer):
        return learnt(tokenizer, list, size)
    kept = cached(
        folder / f"tokenizer_{tokenizer}_{size}{'_'.join(('', *columns))}",
        ["learnt"],
        lambda: {"learnt": _as_bytes(json.dumps(learnt(tokenizer, texts, size)))},
    )
    return Learnt(*json.loads(kept["learnt"].tobytes()))


def _as_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def read_columns(builder: Any, split: str) -> dict[str, list[str]]:
    """Column -> its texts in a prepared split, in their order."""
    source = builder.as_data_source(split)
    records = source.__getitems__(list(range(len(source))))
    return {column: [record[column].decode("utf-8") for record in records] for column in builder.info.features}


def recoded(data: DataSet, fields: Mapping[str, Text]) -> DataSet:
    """The same texts in another vocabulary, such as a trained network's: what it lacks becomes <unk>.

    fields: those of texts, in that vocabulary.
    """
    sources = {split: source for split, source in data.splits.items() if isinstance(source, ArraySource)}
    assert data.folder is not None and sources.keys() == data.splits.keys()

    def read(split: str) -> dict[str, list[str]]:
        rows = sources[split].arrays
        return {name: data.fields[name].values(rows[name]).tolist() for name in fields}

    def reading(split: str, source: ArraySource) -> Callable[[], Any]:
        return source.texts if isinstance(source, TextSource) else partial(read, split)

    encoded = _encoded(data.folder, fields, {split: reading(split, source) for split, source in sources.items()})
    splits = {
        split: replace(source, arrays={**source.arrays, **encoded.splits[split]}) for split, source in sources.items()
    }
    return replace(data, splits=splits, fields={**data.fields, **fields}, notes=(*data.notes[:-1], encoded.covered()))


class Encoded(NamedTuple):
    """Texts in a vocabulary. unknown, tokens: of each split, those outside the vocabulary, and all; cut: rows."""

    field: Text
    splits: dict[str, dict[str, np.ndarray]]
    unknown: dict[str, int]
    tokens: dict[str, int]
    cut: int

    def covered(self) -> str:
        """A line about the vocabulary."""
        unit = self.field.inner.unit
        shares = [f"{1 - self.unknown[s] / max(1, self.tokens[s]):.2%} of {s}" for s in self.splits]
        left = sum(self.unknown.values())
        unknown = f"; {left:,} {unit} are read as <unk>" if left else ""
        cut = f" Longer than a row, and cut: {self.cut:,} texts." if self.cut else ""
        size = len(self.field.meanings) - len(self.field.inner.special.all) if unit == "characters" else None
        named = f"{size:,} characters" if size is not None else f"{self.field.vocabulary:,} {unit}"
        return f"Vocabulary: {named}, which cover {', '.join(shares)}{unknown}.{cut}"


def _encoded(
    folder: Path,
    fields: Mapping[str, Text],
    reads: Mapping[str, Callable[[], Any]],
    labels: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Encoded:
    """The tokens of each split's texts, made once and kept in `folder`.

    reads: split -> its texts, cut into windows; or column -> texts, a row each. labels: column -> the names of its
    classes, which become their numbers.
    """

    def make() -> dict[str, np.ndarray]:
        arrays = {}
        for split, read in reads.items():
            texts, unknown, total, cut = read(), 0, 0, 0
            for column, field in fields.items():
                if isinstance(texts, Mapping):
                    rows, beyond = field.rows(texts[column])
                else:
                    rows, beyond = field.windows(texts), 0
                predicted = rows[:, 1:].astype(np.int64)
                unknown += int(np.count_nonzero(predicted == field.special.unk))
                total += int(np.count_nonzero(~np.isin(predicted, (field.special.pad, field.special.eos))))
                cut += beyond
                arrays[f"{split}.{column}"] = rows
            for column, names in labels.items():
                number = {name: i for i, name in enumerate(names)}
                arrays[f"{split}.{column}"] = np.array([number[each] for each in texts[column]], np.int32)
            arrays[f"{split}.counts"] = np.array([unknown, total, cut])
        return arrays

    described = [
        f"{name} {field.length} {field.extra} {field.packed} {field.tokenizer}" for name, field in fields.items()
    ]
    described += [repr((column, tuple(names))) for column, names in labels.items()]
    field = next(iter(fields.values()))
    name = (
        f"tokens_{folder_name([*(each.encode() for each in described), field.model.encode('utf-8', 'surrogatepass')])}"
    )
    keys = [f"{split}.{what}" for split in reads for what in (*fields, *labels, "counts")]
    arrays = cached(folder / name, keys, make)
    return Encoded(
        field,
        {split: {column: arrays[f"{split}.{column}"] for column in (*fields, *labels)} for split in reads},
        {split: int(arrays[f"{split}.counts"][0]) for split in reads},
        {split: int(arrays[f"{split}.counts"][1]) for split in reads},
        sum(int(arrays[f"{split}.counts"][2]) for split in reads),
    )
