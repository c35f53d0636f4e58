"""The same emoji in two styles, unpaired: a training row has one emoji in the one style and another in the other.

Packages, rules and splits are those of `emoji`. In the splits validation and test a row has the same emoji in both
styles, so that what is made of the one can be held against the other. Without rounds it has in train too.
"""

from pathlib import Path

from aigc_jax.data.dataset import DataSet, Field
from aigc_jax.data.emoji import Drawings, Library, Row, Side, StyleName, by_hash, counts
from aigc_jax.data.fields.pixels import Augment, Pixels
from aigc_jax.data.images import columns
from aigc_jax.data.unpaired import Unpaired
from aigc_jax.errors import ConfigError
from aigc_jax.ranges import Count


class EmojiStyles(Drawings):
    """An emoji in two styles."""


def load(
    *,
    data_dir: Path,
    path: str,
    styles: tuple[StyleName, StyleName],
    image_size: Side,
    rounds: Count,
    augment: tuple[Augment, ...],
) -> DataSet:
    """The drawings, in memory: fields named by the two styles, of which the second is made from the first.

    path: the folder node_modules that holds the packages; styles: the two; image_size: side of the squares; rounds:
    partners that a training image meets before the first one comes again, 0 = its own emoji alone; augment: what is
    done to training images.
    """
    if styles[0] == styles[1]:
        raise ConfigError(f'"data.styles" names {styles[0]} twice: name two styles.')
    library = Library(path, styles)
    splits = by_hash(library.emoji, key=lambda emoji: emoji.family)
    rows = {
        split: [Row(tuple(library.svg(style, emoji) for style in styles), emoji) for emoji in members]
        for split, members in splits.items()
    }
    builder = library.prepared(EmojiStyles, styles, rows, image_size, data_dir)
    shape = (image_size, image_size, 3)
    sources = columns(builder, styles, shape)
    if rounds:
        sources["train"] = Unpaired(dict.fromkeys(styles, sources["train"]), rounds)
    meets = f"In train an image meets {rounds:,} others; in validation and test it" if rounds else "An image"
    notes = (
        f"Read: {len(library.emoji):,} emoji in {' and '.join(styles)}, split by their code points ({counts(splits)}).",
        f"{meets} stands beside the same emoji.",
    )
    fields: dict[str, Field] = {style: Pixels(shape) for style in styles}
    folder, unpaired = Path(builder.data_dir), ("train",) if rounds else ()
    return DataSet("emoji_styles", sources, fields, styles[1], augment, folder, notes, unpaired=unpaired)
