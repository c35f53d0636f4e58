"""One HTML file on which people say which of two samples is better, and the key that says what they saw.

The page needs no network and names no folder or file. Images are decoded and written anew, so that it has their pixels
and nothing else of theirs; samples are numbered in the order in which they are shown.
"""

import base64
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aigc_jax.data.files import listed
from aigc_jax.data.grid import png
from aigc_jax.data.pictures import SUFFIXES, read_all, survey
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.train.workdir import write_whole

TEMPLATE = resources.files("aigc_jax.preference") / "page.html"
SLOT = "{{content}}"  # of the template
LARGEST = 200_000_000  # bytes of a page: browsers of phones give up not far above
ID = 16  # hexadecimal digits that tell pages apart


class Sample(NamedTuple):
    """A file that the page shows."""

    folder: int  # its number among the key's
    file: str  # its path there


@dataclass(frozen=True)
class PageKey:
    """What a page shows."""

    page: str  # its id
    question: str
    folders: tuple[str, ...]
    pairs: tuple[tuple[Sample, Sample], ...]  # A and B, in the order in which they are shown

    @classmethod
    def load(cls, path: Path) -> "PageKey":
        """Raises UserError for a file that is none."""
        try:
            found = load_json(path)
            pairs = tuple((Sample(*a), Sample(*b)) for a, b in found["pairs"])
            key = cls(str(found["page"]), str(found["question"]), tuple(map(str, found["folders"])), pairs)
            meetings = set(itertools.permutations(range(len(key.folders)), 2))
            if not pairs or not {(a.folder, b.folder) for a, b in pairs} <= meetings:
                raise ValueError("its pairs are not of its folders")
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path} is no key of a page ({error}): give the .key.json that was written beside the page."
            ) from error
        return key


def load_json(path: Path) -> Any:
    """Raises ValueError for what is no JSON, and UserError where there is no such file."""
    try:
        return json.loads(path.read_bytes())
    except RecursionError as error:
        raise ValueError(str(error)) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the path.") from error


def write(folders: Sequence[Path], out: Path, question: str, pairs: int, size: int, seed: int) -> Path:
    """Writes a page, and returns the path of the key beside it. The same arguments give the same bytes.

    folders: two or more, all of images or all of .txt files. size: of the side that images are cut and resized to;
    0 = they have one size. Raises UserError for folders that cannot be compared and files that cannot be read.
    """
    key_path = out.with_suffix(".key.json")
    _check(folders, out, key_path, pairs)
    files, kind = _listed(folders)
    meetings = matched([len(each) for each in files], pairs, seed)
    shown = [[(folder, files[folder][number]) for folder, number in pair] for pair in meetings]
    paths = list(dict.fromkeys(path for pair in shown for _, path in pair))
    number_of = {path: number for number, path in enumerate(paths)}
    content: dict[str, Any] = {"question": question, "kind": kind}
    content |= _images(paths, size) if kind == "image" else {"samples": [_text(path) for path in paths]}
    content["pairs"] = [[number_of[path] for _, path in pair] for pair in shown]
    page = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:ID]
    a_and_b = [[Sample(folder, str(path.relative_to(folders[folder]))) for folder, path in pair] for pair in shown]
    key = PageKey(page, question, tuple(map(str, folders)), tuple((a, b) for a, b in a_and_b))
    # A "<" stands in JSON's strings alone; written as \u003c no text can end the element that holds it.
    html = TEMPLATE.read_text("utf-8").replace(SLOT, json.dumps({"page": page, **content}).replace("<", "\\u003c"))
    if len(html) > LARGEST:
        raise UserError(
            f"The page would have {len(html) / 1e6:,.0f} MB, and browsers do well up to {LARGEST / 1e6:.0f}: "
            "give fewer --pairs, or a smaller --size."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(key_path, json.dumps(asdict(key), indent=1) + "\n")
    write_whole(out, html)
    return key_path


def _check(folders: Sequence[Path], out: Path, key: Path, pairs: int) -> None:
    if out.suffix != ".html":
        raise ConfigError(f"--out={out} has to end in .html.")
    for path in (out, key):
        if path.exists():
            raise ConfigError(f"{path} is there already, and answers may be under way to it: give another --out.")
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"There is no folder {folder}: check the path.")
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise ConfigError(
            f"Pairs are drawn from {' and '.join(map(str, folders))}: give two folders or more, each once."
        )
    meetings = math.comb(len(folders), 2)
    if pairs < meetings:
        raise ConfigError(
            f"--pairs={pairs} is too few: every two of {len(folders)} folders have to meet, {meetings} pairs."
        )


def matched(counts: Sequence[int], pairs: int, seed: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """A and B of each pair, as (folder, number of its file). counts: of the folders' files.

    Every two folders meet equally often, to one, and either is A about as often as the other. A folder's files are all
    shown before one is shown again.
    """
    random = np.random.RandomState(seed)
    decks = [_deck(count, random) for count in counts]
    meetings = list(itertools.combinations(range(len(counts)), 2))
    rounds = math.ceil(pairs / len(meetings))
    turned = [random.permutation((np.arange(rounds) + random.randint(2)) % 2) for _ in meetings]
    for turn in range(rounds):
        for meeting in random.permutation(len(meetings))[: pairs - turn * len(meetings)]:
            a, b = reversed(meetings[meeting]) if turned[meeting][turn] else meetings[meeting]
            yield (a, next(decks[a])), (b, next(decks[b]))


def _deck(count: int, random: np.random.RandomState) -> Iterator[int]:
    while True:
        yield from map(int, random.permutation(count))


def _listed(folders: Sequence[Path]) -> tuple[list[list[Path]], str]:
    """(the files of each folder, their kind: "image" or "text")."""
    found, kinds = [], []
    for folder in folders:
        images, others = listed(folder, SUFFIXES)
        texts = [path for path in others if path.suffix.lower() == ".txt"]
        if not images and not texts:
            raise UserError(f"There are no images and no .txt files in {folder}: give a folder that holds some.")
        found.append(list(images) or texts)
        kinds.append("image" if images else "text")
        if kinds[-1] != kinds[0]:
            raise UserError(
                f"{folders[0]} holds {kinds[0]}s and {folder} holds {kinds[-1]}s: give folders of one kind."
            )
    return found, kinds[0]


def _images(paths: Sequence[Path], size: int) -> dict[str, Any]:
    samples: list[str] = []
    for path, picture in zip(paths, read_all(paths, size, 3, survey(paths).white), strict=True):
        image = picture.pixels
        if not samples:
            height, width, _ = image.shape
        elif image.shape[:2] != (height, width):
            raise UserError(
                f"{path} is {image.shape[1]} × {image.shape[0]} and {paths[0]} is {width} × {height}, which would tell "
                "them apart: give --size to bring them to one."
            )
        samples.append(f"data:image/png;base64,{base64.b64encode(png(image).getvalue()).decode()}")
    return {"width": width, "height": height, "samples": samples}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as UTF-8 text ({error}): repair or remove it.") from error
