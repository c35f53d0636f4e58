"""The contract of modules that measure samples: `images`, `texts`, `points`, …, named by a field's `kind`.

    MEASURES                        what a configuration may name under `evals.<name>.measures`
    measures_of(field, name, wanted)    the measures that it names, and how samples are looked at for them

field is the target's, and name its name in rows. Rows of samples hold what they were generated from beside the target,
and under `data.rows.TRUTH` the target that the data have for it.

A measure gives one or more figures from features (or texts, or points) of real and of generated samples.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aigc_jax.config import nearest
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.metrics.bootstrap import Estimate
from aigc_jax.metrics.features.extractor import Extractor
from aigc_jax.metrics.record import Figure, Origin, write
from aigc_jax.train.trained import told


class Measure(NamedTuple):
    """`real` and `made` are what a module has of a set of samples: features of images, or texts."""

    names: tuple[str, ...]
    settings: Mapping[str, Any]  # what the figures depend on besides, for their protocol
    estimate: Callable[[Any, Any], tuple[Estimate, ...]]  # (real, made) -> one for each name
    least: int = 1  # samples that it needs of either side, and where it is by class of each class
    by_class: bool = False  # it needs to know which classes the samples were asked to be
    paired: bool = False  # it holds each sample against the target that the data have for what was given
    follows: Callable[[Any], Mapping[str, Any]] = lambda made: {}  # settings that `made` gives, as its language


class Sight(NamedTuple):
    """How samples of a kind are looked at."""

    see: Callable[[Mapping[str, np.ndarray], bool], Any]
    """(stored rows, whether they are real) -> what measures read."""
    join: Callable[[Sequence[Any]], Any]
    using: Extractor | None


class Wanted(NamedTuple):
    """What a configuration asks for."""

    samples: int  # on the side that has fewer of them
    measures: Sequence[str]
    extractor: str  # of images' features
    weights: Path | None  # folder of the extractors' files
    cache: Path | None  # folder of their answers about real images
    meanings: Mapping[str, Sequence[str]]  # field -> what its numbers mean: `Field.meanings`


ALSO_CALLED = {
    "fid": "frechet",
    "fd": "frechet",
    "cmmd": "mmd",
    "is": "inception_score",
    "inception": "inception_score",
    "precision": "precision_recall",
    "recall": "precision_recall",
    "density": "density_coverage",
    "coverage": "density_coverage",
    "intra_fid": "class_frechet",
    "distinct": "distinct_2",
    "copied": "copied_10",
    "chrf2": "chrf",
    "em": "exact_match",
    "lpips": "lpips_alex",
}
"""What a measure is called elsewhere -> its name here."""
OF_DATA = ("bits_per_dim", "bits_per_char", "perplexity", "ppl", "likelihood", "nll", "elbo", "bpd")
"""What models say of data, not measures of samples."""


def listed(there: Iterable[str], usual: Iterable[str]) -> str:
    """What a command's help says of its measures. usual: those that it takes where none are named."""
    return f"of {', '.join(there)} (default: {' '.join(usual)})"


def finish(figures: Sequence[Figure], left_out: Sequence[str], origin: Origin, out: Path | None) -> None:
    """Prints what a command measured, and adds the records to a file. Raises UserError for what is left out of it."""
    for figure in figures:
        print(told(figure))
    if out and figures:
        write(out, figures, origin)
        print(f"records: {out}")
    if left_out:
        raise UserError(f"Left out: {' '.join(left_out)}")


def named(names: Sequence[str], there: Mapping[str, Any]) -> list[Any]:
    """Those of `there`, each once, by their names or what they are also called. Raises ConfigError for another name."""
    found = {}
    for name in names:
        here = name if name in there else ALSO_CALLED.get(name.lower().replace("-", "_"), name)
        if here not in there:
            hint = nearest(name, there)
            if name.lower() in OF_DATA:
                hint = " It is no measure of samples: evaluating a model gives it, of the data, where there is one."
            raise ConfigError(f'measures: there is no "{name}".{hint}')
        found[here] = there[here]
    return list(found.values())
