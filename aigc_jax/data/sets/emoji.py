"""Emoji in up to five drawn styles, 1,586 that all draw: their subgroups as classes, their names as captions.

Packages and rules: `data/emoji.py`. Emoji are split by their code points over all styles, about 85 / 5 / 10: whatever
the styles, an emoji is in one split, and those that differ in gender alone are together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from aigc_jax.data.dataset import DataSet
from aigc_jax.data.emoji import Drawings, Emoji, Library, Row, Side, StyleName, by_hash, counts
from aigc_jax.data.fields.pixels import Augment
from aigc_jax.data.fields.texts import Text
from aigc_jax.data.files import some
from aigc_jax.data.images import image_dataset, joined
from aigc_jax.data.store import image_sources
from aigc_jax.data.tokenizers import characters
from aigc_jax.ranges import NotEmpty


class EmojiDrawings(Drawings):
    """Drawings, the styles of an emoji one after the other."""


def load(
    *,
    data_dir: Path,
    path: str,
    styles: Annotated[tuple[StyleName, ...], NotEmpty()],
    image_size: Side,
    augment: tuple[Augment, ...],
    caption: Literal["", "en", "zh"] = "",
) -> DataSet:
    """The drawings, in memory.

    path: the folder node_modules that holds the packages; styles: which are drawn; image_size: side of the squares;
    augment: what is done to training images; caption: the language of their names, the field `caption`; "" = none.
    """
    library = Library(path, tuple(dict.fromkeys(styles)))
    splits = by_hash(library.emoji, key=lambda emoji: emoji.family)
    rows = {
        split: [Row((library.svg(style, emoji),), emoji) for emoji in members for style in library.styles]
        for split, members in splits.items()
    }
    builder = library.prepared(EmojiDrawings, ("image",), rows, image_size, data_dir)
    notes = [
        f"Read: {len(library.emoji):,} emoji, each drawn in {', '.join(library.styles)}; split by their code points "
        f"({counts(splits)})."
    ]
    if untrained := [name for name in library.class_names if name not in _subgroups(splits["train"])]:
        notes.append(f"Classes of which no image is in train: {some(untrained)}.")
    shape = (image_size, image_size, 3)
    sources = image_sources(builder, shape)
    folder = Path(builder.data_dir)
    data = image_dataset("emoji", sources, shape, library.class_names, folder, augment=augment, notes=tuple(notes))
    if not caption:
        return data
    said = {split: [getattr(row.emoji, caption) for row in members] for split, members in rows.items()}
    field = caption_field(said)
    captioned = {split: joined(source, {"caption": field.windows(said[split])}) for split, source in sources.items()}
    return replace(data, splits=captioned, fields={**data.fields, "caption": field})


def caption_field(said: Mapping[str, Sequence[str]]) -> Text:
    """Texts in the characters of those in train, and windows that hold the longest. said: split -> texts."""
    longest = max(len(text) for texts in said.values() for text in texts)
    return Text(characters.trained(said["train"], size=0), longest + 1)


def _subgroups(members: list[Emoji]) -> set[str]:
    return {emoji.subgroup for emoji in members}
