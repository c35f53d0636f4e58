"""Chinese characters as several fonts draw them: a row has one character in each font, and which it is.

The fonts are Debian's, by the names in `data/fonts.py`, or files of one's own:

    apt-get install fonts-noto-cjk fonts-lxgw-wenkai

The characters are those of GB 2312, 6,763 (the 3,755 of its first level are the common ones), or any that are given.
They are split by their code points, about 85 / 5 / 10: test characters are seen in no font. Those that a font lacks
are left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow_datasets as tfds

from aigc_jax.data.dataset import ArraySource, DataSet, Field, Source
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.fields.pixels import Pixels
from aigc_jax.data.files import some
from aigc_jax.data.fonts import Font, found, glyph, has
from aigc_jax.data.grid import png
from aigc_jax.data.images import columns
from aigc_jax.data.rows import CHARACTER
from aigc_jax.data.splits import SPLITS, split_by_hash
from aigc_jax.data.store import LocalInfo, folder_name, local_builder
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.ranges import NotEmpty, between

VERSION = "1.0.0"  # of the rules by which fonts become splits and pixels
ROWS = {"gb2312": range(16, 88), "gb2312_1": range(16, 56)}  # name of characters -> the rows of GB 2312 that hold them
Side = Annotated[int, between(8, 256)]


@dataclass
class GlyphsConfig(tfds.core.BuilderConfig):
    """Which fonts, characters and size."""

    fonts: Mapping[str, Font] = field(default_factory=dict)  # field -> font
    characters: str = ""  # those that are wanted
    size: int = 0


class Glyphs(tfds.core.GeneratorBasedBuilder):
    """Characters, each as all fonts draw it."""

    VERSION = tfds.core.Version(VERSION)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        image = tfds.features.Image(shape=(config.size, config.size, 1))
        licences = [f"{font.package or font.path.name}: {font.licence}" for font in config.fonts.values()]
        return LocalInfo(
            builder=self,
            description=f"Characters, {config.size} x {config.size}: {', '.join(config.fonts)}.",
            features=tfds.features.FeaturesDict(
                {**dict.fromkeys(config.fonts, image), CHARACTER: tfds.features.Text()}
            ),
            disable_shuffling=True,
            license="; ".join(dict.fromkeys(licences)),
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        fonts, wanted = self.builder_config.fonts, self.builder_config.characters
        kept = [each for each in wanted if all(has(font, each) for font in fonts.values())]
        splits = {split: "".join(each for each in kept if split_by_hash(each) == split) for split in SPLITS}
        if empty := [split for split, own in splits.items() if not own]:
            raise UserError(
                f"Of {len(wanted):,} characters the fonts {', '.join(fonts)} have {len(kept):,}, of which none is in "
                f'{some(empty)}: give more of them (key "data.characters").'
            )
        self.info.metadata.update(splits)
        return {split: self._generate_examples(own) for split, own in splits.items()}

    def _generate_examples(self, characters: str) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.builder_config
        for key, each in enumerate(characters):
            glyphs = {name: png(glyph(font, each, config.size)) for name, font in config.fonts.items()}
            yield key, {**glyphs, CHARACTER: each}


def characters_of(name: str) -> str:
    """The characters that `data.characters` means, each once: by the name of a set, or as they are."""
    if name in ROWS:
        codes = bytes(0xA0 + n for row in ROWS[name] for column in range(1, 95) for n in (row, column))
        name = codes.decode("gb2312", "ignore")
    return "".join(dict.fromkeys(each for each in name if not each.isspace()))


def load(
    *,
    data_dir: Path,
    fonts: Annotated[tuple[str, ...], NotEmpty()],
    characters: str,
    image_size: Side,
) -> DataSet:
    """The glyphs, in memory: a field for each font, of which the last is made from the others, and `character`.

    fonts: names of fonts, or the paths of their files; characters: gb2312, gb2312_1 or the characters themselves;
    image_size: side of the squares.
    """
    chosen = dict(found(name) for name in fonts)
    if len(chosen) < len(fonts):
        raise ConfigError(f'"data.fonts" names a font twice: {", ".join(fonts)}.')
    wanted = characters_of(characters)
    builder = local_builder(Glyphs, _config(chosen, wanted, image_size), data_dir)
    splits: dict[str, str] = {split: builder.info.metadata[split] for split in SPLITS}
    there = set("".join(splits.values()))
    kept = "".join(each for each in wanted if each in there)
    shape = (image_size, image_size, 1)
    sources = {
        split: _with_characters(source, splits[split], kept)
        for split, source in columns(builder, chosen, shape).items()
    }
    fields: dict[str, Field] = {name: Pixels(shape) for name in chosen}
    fields[CHARACTER] = Label(tuple(kept))
    counts = ", ".join(f"{split} {len(own):,}" for split, own in splits.items())
    notes = [f"Read: {len(kept):,} characters in {', '.join(chosen)}, split by their code points ({counts})."]
    if lacking := [each for each in wanted if each not in there]:
        notes.append(f"Characters left out, as not all fonts have them: {some(lacking)}.")
    return DataSet("glyphs", sources, fields, [*chosen][-1], folder=Path(builder.data_dir), notes=tuple(notes))


def _with_characters(source: Source, own: str, all_: str) -> Source:
    assert source.arrays is not None  # of the sizes that there are, all characters of all planes but few fit
    numbers = {each: number for number, each in enumerate(all_)}
    return ArraySource({**source.arrays, CHARACTER: np.array([numbers[each] for each in own], np.int32)})


def _config(fonts: Mapping[str, Font], characters: str, size: int) -> GlyphsConfig:
    rule = repr((size, [(name, font.number) for name, font in fonts.items()], characters))
    content = [font.path.read_bytes() for font in fonts.values()]
    return GlyphsConfig(
        name=folder_name([rule.encode(), *content]), version=VERSION, fonts=fonts, characters=characters, size=size
    )
