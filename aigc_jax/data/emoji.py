"""Drawings of emoji: what the sets of them share.

The drawings are SVG in packages of npm that iconify makes, and emojibase-data names and groups them:

    npm install @iconify-json/noto@1.2.9 @iconify-json/twemoji@1.2.5 @iconify-json/openmoji@1.2.29 \\
        @iconify-json/fluent-emoji-flat@1.2.6 @iconify-json/fluent-emoji-high-contrast@1.2.6 emojibase-data@17.0.0

Read are emoji without skin tones that all styles of a set draw. Flags are left out, as they look alike in all styles,
and so are the parts of other emoji. A drawing is laid on white, in the middle of a square.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from aigc_jax.data.files import printable, some
from aigc_jax.data.grid import png
from aigc_jax.data.splits import split_by_hash
from aigc_jax.data.store import LocalInfo, folder_name, local_builder
from aigc_jax.errors import UserError, optional
from aigc_jax.places import expanded
from aigc_jax.ranges import between

VERSION = "1.1.0"  # of the rules by which packages become splits and pixels
LEFT_OUT = ("component", "flags")  # groups
GENDERS = ("2640", "2642")  # the signs that make a person a woman or a man
PERSONS = {"1f468": "1f9d1", "1f469": "1f9d1", "1f466": "1f9d2", "1f467": "1f9d2", "1f474": "1f9d3", "1f475": "1f9d3"}
JOINER, COLOURED = "200d", "fe0f"  # between the parts of an emoji; a sign that says no more than that it is one
DRAWINGS = "icons.json", "chars.json"  # of a package of iconify: SVG by name, and names by code points
NAMES, GROUPS = ("en/data.json", "zh/data.json"), "meta/groups.json"  # of emojibase-data
StyleName = Literal["noto", "twemoji", "openmoji", "fluent", "line"]
Side = Annotated[int, between(8, 256)]  # in pixels: with it, all drawings of a style fit into memory


class Package(NamedTuple):
    """A package of npm, at the version that was looked at."""

    name: str
    version: str
    licence: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


EMOJIBASE = Package("emojibase-data", "17.0.0", "MIT, (c) Miles Johnson")
STYLES: Mapping[str, Package] = {
    "noto": Package("@iconify-json/noto", "1.2.9", "Apache-2.0, (c) Google Inc."),
    "twemoji": Package("@iconify-json/twemoji", "1.2.5", "CC-BY-4.0, (c) Twitter, Inc. and other contributors"),
    "openmoji": Package("@iconify-json/openmoji", "1.2.29", "CC-BY-SA-4.0, (c) OpenMoji"),
    "fluent": Package("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT, (c) Microsoft Corporation"),
    "line": Package("@iconify-json/fluent-emoji-high-contrast", "1.2.6", "MIT, (c) Microsoft Corporation"),
}
"""The styles that emoji are drawn in. `line` has the drawings of `fluent`, in black lines and areas."""


class Emoji(NamedTuple):
    """One emoji. code: its code points as iconify writes them, "1f44b" or "1f469-200d-1f680"."""

    code: str
    en: str  # what it is called, "waving hand"
    zh: str  # 挥手
    subgroup: str

    @property
    def family(self) -> str:
        """The same for those that differ in gender alone: they are drawn nearly alike, and stay in one split."""
        parts = self.code.split("-")
        kept = [PERSONS.get(part, part) for part in parts if part not in GENDERS]
        return "-".join(kept).removesuffix(f"-{JOINER}") or self.code


class Row(NamedTuple):
    """An example to be. svg: one for each field of images."""

    svg: tuple[str, ...]
    emoji: Emoji


@dataclass
class DrawingsConfig(tfds.core.BuilderConfig):
    """What is drawn, and how large."""

    fields: tuple[str, ...] = ()  # the names of the images of a row
    splits: Mapping[str, Sequence[Row]] | None = None
    class_names: tuple[str, ...] = ()
    size: int = 0
    licence: str = ""


class Drawings(tfds.core.GeneratorBasedBuilder):
    """Drawings and the subgroups of what they show. The sets of emoji are named subclasses."""

    VERSION = tfds.core.Version(VERSION)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        image = tfds.features.Image(shape=(config.size, config.size, 3))
        return LocalInfo(
            builder=self,
            description=config.description,
            features=tfds.features.FeaturesDict(
                {
                    **dict.fromkeys(config.fields, image),
                    "label": tfds.features.ClassLabel(names=list(config.class_names)),
                    "code": tfds.features.Text(),
                    "en": tfds.features.Text(),
                    "zh": tfds.features.Text(),
                }
            ),
            disable_shuffling=True,
            homepage="https://icon-sets.iconify.design/?category=Emoji",
            license=config.licence,
            citation=config.licence,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        return {split: self._generate_examples(rows) for split, rows in self.builder_config.splits.items()}

    def _generate_examples(self, rows: Sequence[Row]) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.builder_config
        for key, (svg, emoji) in enumerate(rows):
            images = {name: png(drawn(each, config.size)) for name, each in zip(config.fields, svg, strict=True)}
            yield key, {**images, "label": emoji.subgroup, "code": emoji.code, "en": emoji.en, "zh": emoji.zh}


def drawn(svg: str, size: int) -> np.ndarray:
    """SVG -> uint8 [size, size, 3], on white. Raises UserError for damaged SVG."""
    resvg = optional("resvg_py", "emoji", "Drawing emoji")
    try:
        found = resvg.svg_to_bytes(svg_string=svg, width=size, height=size, background="white", skip_system_fonts=True)
    except ValueError as error:
        raise UserError(f"{svg[:200]} … is no SVG ({error}): install its package again.") from error
    with Image.open(io.BytesIO(found)) as image:
        return np.asarray(image.convert("RGB"))


class Library:
    """The installed packages: those of some styles, and the names."""

    def __init__(self, path: str, styles: Sequence[str]):
        """path: the folder node_modules. Raises UserError for packages that are missing or damaged."""
        self._folder, self.styles = expanded(path), tuple(styles)
        packages = [STYLES[style] for style in styles] + [EMOJIBASE]
        lacking = [str(package) for package in packages if not (self._folder / package.name).is_dir()]
        if lacking:
            raise UserError(
                f"{some(lacking, len(packages))} {'is' if len(lacking) == 1 else 'are'} not in the folder "
                f'"{printable(self._folder)}" (key "data.path"): npm install {" ".join(lacking)}'
            )
        self._content: list[bytes] = []
        self._svg = {style: self._drawings(STYLES[style]) for style in styles}
        self.emoji = [each for each in self._named() if all(each.code in svg for svg in self._svg.values())]
        if not self.emoji:
            raise UserError(f'No emoji is drawn in all of {", ".join(styles)} by the packages in "{self._folder}".')
        self.class_names = tuple(dict.fromkeys(each.subgroup for each in self.emoji))
        self.licence = "; ".join(f"{package}: {package.licence}" for package in packages)

    def svg(self, style: str, emoji: Emoji) -> str:
        """A drawing."""
        return self._svg[style][emoji.code]

    def prepared(
        self, builder: type, fields: Sequence[str], splits: Mapping[str, Sequence[Row]], size: int, data_dir: Path
    ) -> Any:
        """The builder, its drawings made if they were not.

        fields: the names of the images in a row. Other packages, splits and sizes are prepared anew.
        """
        rule = repr((fields, size, {split: [row.emoji.code for row in rows] for split, rows in splits.items()}))
        config = DrawingsConfig(
            name=folder_name([rule.encode(), *self._content]),
            version=VERSION,
            description=f"Drawings of emoji, {size} x {size}: {', '.join(self.styles)}.",
            fields=tuple(fields),
            splits=splits,
            class_names=self.class_names,
            size=size,
            licence=self.licence,
        )
        return local_builder(builder, config, data_dir, examples=sum(map(len, splits.values())))

    def _json(self, package: Package, file: str) -> Any:
        path = self._folder / package.name / file
        try:
            content = path.read_bytes()
            found = json.loads(content)
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"{printable(path)} cannot be read ({reason}): npm install {package}") from error
        self._content.append(content)
        return found

    def _drawings(self, package: Package) -> dict[str, str]:
        """Code points -> SVG."""
        icons, chars = (self._json(package, file) for file in DRAWINGS)
        try:
            return {code: _page(icons, name) for code, name in chars.items()}
        except (KeyError, TypeError, AttributeError) as error:
            folder = printable(self._folder / package.name)
            raise UserError(f"{folder} lacks drawings that it lists ({error!r}): npm install {package}") from error

    def _named(self) -> list[Emoji]:
        groups, entries, chinese = (self._json(EMOJIBASE, file) for file in (GROUPS, *NAMES))
        try:
            zh = {each["hexcode"]: each["label"] for each in chinese}
            names = groups["subgroups"]
            left_out = {int(number) for number, name in groups["groups"].items() if name in LEFT_OUT}
            kept = [each for each in entries if "subgroup" in each and each["group"] not in left_out]
            return [
                Emoji(_code(each["hexcode"]), each["label"], zh[each["hexcode"]], names[str(each["subgroup"])])
                for each in kept
            ]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            folder = printable(self._folder / EMOJIBASE.name)
            raise UserError(f"{folder} is not understood ({error!r}): npm install {EMOJIBASE}") from error


def _page(icons: Mapping[str, Any], name: str) -> str:
    """An icon as a whole SVG, square with the icon in the middle."""
    icon = icons["icons"][name]
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))  # 16: iconify's own
    side = max(width, height)
    view = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{side}" height="{side}" viewBox="{view}">{icon["body"]}</svg>'
    )


def _code(hexcode: str) -> str:
    return "-".join(part for part in hexcode.lower().split("-") if part != COLOURED)


def by_hash(emoji: Sequence[Emoji], key: Callable[[Emoji], str]) -> dict[str, list[Emoji]]:
    """Emoji in train, validation and test by the hash of a key alone: with other emoji beside them, they stay there.

    Raises UserError where there are too few for three splits.
    """
    splits: dict[str, list[Emoji]] = {"train": [], "validation": [], "test": []}
    for each in emoji:
        splits[split_by_hash(key(each))].append(each)
    if empty := [split for split, members in splits.items() if not members]:
        raise UserError(f"{len(emoji)} emoji are too few: none of them is in {some(empty)}.")
    return splits


def counts(splits: Mapping[str, Sequence[Emoji]]) -> str:
    """'train 1,355, validation 80, test 159'."""
    return ", ".join(f"{split} {len(members):,}" for split, members in splits.items())
