"""Tang poems in traditional characters.

The poems are the files poet.tang.*.json of the npm package chinese-poetry (57,607 poems): `aigc_jax/data/poems.py` says
how to fetch them, what is left out, and how they are split. A text is the title and the verses, a line each. A folder
without these files is read as `text_folder` reads it, with blank lines between documents.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from aigc_jax.data import poems
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.sets import text_folder
from aigc_jax.data.store import local_builder
from aigc_jax.data.text_sets import Coding, Length, TextConfig, Texts, text_dataset
from aigc_jax.ranges import Count


class TangPoems(Texts):
    """Poems."""


def read_splits(files: Sequence[Path]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """(split -> texts, counts of what was read and left out). Raises UserError where no poem is left."""
    splits, counts = poems.read(files)
    return {split: [poem.titled for poem in members] for split, members in splits.items()}, counts


def load(
    *,
    data_dir: Path,
    path: str,
    length: Length,
    vocabulary_size: Count,
    tokenizer: str = "characters",
    extra_tokens: Count = 0,
    pack: bool = False,
) -> DataSet:
    """The windows of the texts, in memory.

    path: the folder. length: tokens of a window. vocabulary_size: tokens at most, of characters the most frequent of
    the training split; 0 = all. tokenizer: "characters", "bytes", "bpe", "wordpiece" or "unigram", learnt from the
    training split; file:FOLDER, a published one, or run:FOLDER, that of a run. extra_tokens: further ones, of which the
    first is the mask. pack: whether texts follow each other in a window.
    """
    coding = Coding(vocabulary_size, tokenizer, extra_tokens)
    files = poems.listed(path, "tang")
    if not files:
        data = text_folder.load(
            data_dir=data_dir, path=path, documents="blank_lines", length=length, pack=pack, **coding._asdict()
        )
        return replace(data, name="tang_poems")
    config = TextConfig(
        name=poems.state(files),
        version="1.0.0",
        description="Poems of the Tang dynasty.",
        homepage=poems.HOMEPAGE,
        licence=poems.LICENCE,
        citation=poems.CITATION["tang"],
        read=lambda: read_splits(files),
    )
    builder = local_builder(TangPoems, config, data_dir)
    notes = [poems.said(len(files), **builder.info.metadata)]
    return text_dataset("tang_poems", builder, coding, length=length, pack=pack, notes=notes)
