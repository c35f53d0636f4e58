"""What is in a data set, to look at: a contact sheet, and counts."""

from collections import Counter
from pathlib import Path

import numpy as np

from aigc_jax.data import scatter
from aigc_jax.data.dataset import DataSet, Source, TextSource
from aigc_jax.data.images import ImageMedium, write_grid
from aigc_jax.data.pixels import PixelTokens
from aigc_jax.data.points import PointMedium
from aigc_jax.data.stream import order
from aigc_jax.data.text import TextMedium, coverage

COLUMNS = 10  # images of each class
ROWS = 32  # classes at most
LOOKED_AT = 4096  # examples of a split that streams from disk, and points
TEXTS = 12  # example texts
BINS = 12  # bars of the histogram
BAR = 50  # characters of its longest bar


def write(data: DataSet, out: Path) -> Path:
    """A contact sheet `out`/<name>: a grid with a row for each class, texts and their lengths, or points."""
    split = "train" if "train" in data.splits else next(iter(data.splits))
    source, stem = data.splits[split], out / data.name.replace("/", "_")
    if isinstance(data.medium, ImageMedium):
        return _images(source, len(data.medium.class_names), stem)
    if isinstance(data.medium, PixelTokens):
        return _images(source, len(data.medium.images.class_names), stem)
    if isinstance(source, TextSource):
        return _texts(source, stem)
    if isinstance(data.medium, PointMedium):
        points = source[np.arange(min(len(source), LOOKED_AT))]["image"].reshape(-1, 2)
        return scatter.write(data.medium.density, points, stem)
    raise TypeError(f"no sheet for {type(data.medium).__name__}")


def _images(source: Source, classes: int, stem: Path) -> Path:
    rows = source[np.arange(len(source) if source.arrays else min(len(source), LOOKED_AT))]
    images, labels = rows["image"], rows["label"]
    page = np.zeros((min(classes, ROWS), COLUMNS, *images.shape[1:]), np.uint8)
    for label in range(len(page)):
        found = images[labels == label][:COLUMNS]
        page[label, : len(found)] = found
    return write_grid(page.reshape(-1, *images.shape[1:]), stem, COLUMNS)


def _texts(source: TextSource, stem: Path) -> Path:
    texts = source.texts()
    shown = [texts[i] for i in order(0, len(texts), 0, min(TEXTS, len(texts)))]
    lengths = np.array([len(text) for text in texts])
    longest = np.percentile(lengths, 99)
    counts, edges = np.histogram(np.minimum(lengths, longest), bins=BINS)
    bars = [
        f"{int(left):6d} to {int(right):6d} {count:7,d} {'#' * round(BAR * count / counts.max())}"
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    path = stem.with_name(stem.name + ".txt")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "\n\n".join(
            [
                *shown,
                f"Characters of a text (the last bar counts all that are longer, up to {lengths.max():,}):\n"
                + "\n".join(bars),
            ]
        )
        + "\n",
        "utf-8",
    )
    return path


def describe(data: DataSet) -> list[str]:
    """A line for each split: examples, and label counts or tokens and coverage of the vocabulary."""
    return [f"{split}: {len(source):,} examples{_detail(data, source)}" for split, source in data.splits.items()]


def _detail(data: DataSet, source: Source) -> str:
    if isinstance(source, TextSource) and isinstance(data.medium, TextMedium):
        texts, windows = source.texts(), source.arrays["tokens"]
        tokens = np.count_nonzero(windows[:, 1:])  # each is predicted once
        share = coverage(texts, data.medium.characters)
        return f" of {len(texts):,} texts, {tokens:,} tokens, vocabulary covers {share:.2%} of the characters"
    if isinstance(data.medium, PointMedium):
        return f" of a density of {data.medium.density.entropy:.4f} bits"
    if source.arrays is None or not isinstance(data.medium, ImageMedium):
        return ", read from disk"
    counts = Counter(source.arrays["label"].tolist())
    return "; " + ", ".join(f"{name} {counts[i]:,}" for i, name in enumerate(data.medium.class_names))
