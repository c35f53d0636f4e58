"""Pairs of emoji: the same drawing in black lines and in flat colours, 1,586 of them.

Packages and rules: `data/emoji.py`; the styles are `line` and `fluent`. Whole subgroups are held out, so that test
pairs show other kinds of things than training pairs: they are chosen by the hash of their names.
"""

from pathlib import Path

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.emoji import Drawings, Library, Row, Side, by_hash, counts
from aigc_jax.data.fields.pixels import Augment, Pixels
from aigc_jax.data.images import columns

FIELDS = {"line": "line", "image": "fluent"}  # name of a field -> the style that it is drawn in


class EmojiPairs(Drawings):
    """A drawing in lines and in colours."""


def load(*, data_dir: Path, path: str, image_size: Side, augment: tuple[Augment, ...]) -> DataSet:
    """The pairs, in memory: `image`, in colours, is made from `line`.

    path: the folder node_modules that holds the packages; image_size: side of the squares; augment: what is done to
    training pairs.
    """
    library = Library(path, tuple(FIELDS.values()))
    splits = by_hash(library.emoji, key=lambda emoji: emoji.subgroup)
    rows = {
        split: [Row(tuple(library.svg(style, emoji) for style in FIELDS.values()), emoji) for emoji in members]
        for split, members in splits.items()
    }
    builder = library.prepared(EmojiPairs, tuple(FIELDS), rows, image_size, data_dir)
    kinds = {split: ", ".join(dict.fromkeys(emoji.subgroup for emoji in members)) for split, members in splits.items()}
    notes = (
        f"Read: {len(library.emoji):,} pairs, split by subgroups ({counts(splits)}).",
        f"Subgroups of validation: {kinds['validation']}.",
        f"Subgroups of test: {kinds['test']}.",
    )
    shape = (image_size, image_size, 3)
    fields = {name: Pixels(shape) for name in FIELDS}
    sources = columns(builder, FIELDS, shape)
    return DataSet("emoji_pairs", sources, fields, "image", augment, Path(builder.data_dir), notes)
