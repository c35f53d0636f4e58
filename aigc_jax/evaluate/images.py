"""Generated images held against real ones: the measures that a configuration may name under `evals.<name>.measures`."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from scipy.special import softmax

from aigc_jax.data.rows import TRUTH
from aigc_jax.errors import UserError
from aigc_jax.evaluate.characters import OCR, Written, joined, measure_ocr, written
from aigc_jax.evaluate.measure import Measure, Sight, Wanted, named
from aigc_jax.metrics import kernel, manifold, scores, similarity
from aigc_jax.metrics.bootstrap import Estimate, mean
from aigc_jax.metrics.features import lpips
from aigc_jax.metrics.features.catalogue import extractor
from aigc_jax.metrics.features.extractor import Answers, Extractor, remembered
from aigc_jax.metrics.frechet import Moments, frechet, moments

KID_SUBSETS, KID_SIZE = 100, 1000  # Bińkowski et al. 2018, section 4
SCORE_SPLITS = 10  # Salimans et al. 2016, section 4


class Seen:
    """What an extractor says of a set of images, and of which class each is meant to be (int [N], or None).

    pairs: (the images, their true targets), uint8 [N, H, W, C] each, where measures hold them against each other.
    written: the images and the characters that they show, where a measure reads them.
    """

    def __init__(
        self,
        answers: Answers,
        labels: np.ndarray | None,
        pairs: tuple[np.ndarray, np.ndarray] | None = None,
        written: Written | None = None,
    ):
        self.answers = answers
        self.features, self.logits = answers
        self.labels, self.pairs, self.written = labels, pairs, written

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def moments(self) -> Moments:
        return moments(self.features)

    @cached_property
    def near(self) -> np.ndarray:
        """Of each, the distances to its nearest others, as many as any measure asks for."""
        most = max(manifold.PRECISION_NEIGHBOURS, manifold.COVERAGE_NEIGHBOURS)
        return manifold.nearest_others(self.features, most)

    def of_class(self, label: int) -> "Seen":
        assert self.labels is not None
        rows = self.labels == label
        return Seen(Answers(self.features[rows], self.logits[rows]), self.labels[rows])


def _distance(using: Extractor, count: int) -> Measure:
    def estimate(real: Seen, made: Seen) -> tuple[Estimate, ...]:
        return (frechet(real.moments, made.features),)

    return Measure((using.distance,), {}, estimate, least=using.width + 1)


def _kid(using: Extractor, count: int) -> Measure:
    size = min(KID_SIZE, count)

    def estimate(real: Seen, made: Seen) -> tuple[Estimate, ...]:
        return (kernel.kid(real.features, made.features, KID_SUBSETS, size, seed=0),)

    return Measure((f"KID-{using.name}",), {"subsets": KID_SUBSETS, "size": size}, estimate, least=size)


def _cmmd(using: Extractor, count: int) -> Measure:
    return Measure(
        (f"MMD-{using.name}",),
        {"sigma": kernel.SIGMA},
        lambda real, made: (kernel.cmmd(real.features, made.features),),
        least=2,
    )


def _inception_score(using: Extractor, count: int) -> Measure:
    name = "IS" if using.name == "inception" else f"score-{using.name}"
    return Measure(
        (name,),
        {"splits": SCORE_SPLITS},
        lambda real, made: (scores.inception_score(softmax(np.float64(made.logits), -1), SCORE_SPLITS),),
        least=SCORE_SPLITS,
    )


def _precision_recall(using: Extractor, count: int) -> Measure:
    def estimate(real: Seen, made: Seen) -> tuple[Estimate, ...]:
        near = real.near[:, : manifold.PRECISION_NEIGHBOURS]
        return tuple(manifold.precision_recall(real.features, near, made.features).values())

    neighbours = manifold.PRECISION_NEIGHBOURS
    return Measure(("precision", "recall"), {"neighbours": neighbours}, estimate, least=neighbours + 1)


def _density_coverage(using: Extractor, count: int) -> Measure:
    def estimate(real: Seen, made: Seen) -> tuple[Estimate, ...]:
        near = real.near[:, : manifold.COVERAGE_NEIGHBOURS]
        return tuple(manifold.density_coverage(real.features, near, made.features).values())

    neighbours = manifold.COVERAGE_NEIGHBOURS
    return Measure(("density", "coverage"), {"neighbours": neighbours}, estimate, least=neighbours + 1)


def _classes(using: Extractor, count: int) -> Measure:
    """How far the classes that the extractor sees are from being as frequent as among the real images."""

    def estimate(real: Seen, made: Seen) -> tuple[Estimate, ...]:
        chosen = made.logits.argmax(-1)
        classes = made.logits.shape[-1]
        p, q = (np.bincount(each, minlength=classes) for each in (real.logits.argmax(-1), chosen))
        return scores.histogram_divergences(p, q, chosen)

    return Measure(("class_KL", "class_JS"), {}, estimate)


def _class_accuracy(using: Extractor, count: int) -> Measure:
    def estimate(real: Seen, made: Seen) -> tuple[Estimate, ...]:
        return (mean(made.logits.argmax(-1) == _labels(made)),)

    return Measure(("class_accuracy",), {}, estimate, by_class=True)


def _class_distance(using: Extractor, count: int) -> Measure:
    """The mean of the Fréchet distances within the classes (Miyato & Koyama 2018, section 5, intra FID)."""

    def estimate(real: Seen, made: Seen) -> tuple[Estimate, ...]:
        present = np.unique(_labels(made))
        found = [frechet(real.of_class(label).moments, made.of_class(label).features) for label in present]
        influence = np.zeros(len(made))
        for label, each in zip(present, found, strict=True):
            rows = _labels(made) == label
            influence[rows] = each.influence * (len(made) / rows.sum() / len(present))
        return (Estimate(float(np.mean([each.value for each in found])), influence, least=0),)

    return Measure((f"class_{using.distance}",), {}, estimate, least=using.width + 1, by_class=True)


def _labels(made: Seen) -> np.ndarray:
    if made.labels is None:
        raise UserError(
            "Measures by class need samples of known classes: train a conditional model and set sample.given=each, "
            "or leave them out."
        )
    return made.labels


def _paired(name: str, between: Callable[[np.ndarray, np.ndarray], Estimate], **settings: Any) -> Measure:
    def estimate(real: Seen, made: Seen) -> tuple[Estimate, ...]:
        if made.pairs is None:
            raise UserError(f"{name} needs the true targets of what samples are generated from.")
        return (between(*made.pairs),)

    return Measure((name,), settings, estimate, paired=True)


def _lpips(kind: lpips.Kind, weights: Path | None) -> Measure:
    variables, sha256 = lpips.load(kind, weights)
    return _paired(f"LPIPS-{kind}", partial(similarity.lpips, kind=kind, variables=variables), weights_sha256=sha256)


PAIRED: Mapping[str, Callable[[Path | None], Measure]] = {
    "l1": lambda weights: _paired("L1", similarity.l1),
    "psnr": lambda weights: _paired("PSNR", similarity.psnr),
    "ssim": lambda weights: _paired("SSIM", similarity.ssim),
    **{f"lpips_{kind}": partial(_lpips, kind) for kind in get_args(lpips.Kind)},
    OCR: lambda weights: measure_ocr(),
}
"""The folder of weights -> the measure of images and what they should be. They need no extractor."""
MEASURES: Mapping[str, Callable[[Extractor, int], Measure]] = {
    "frechet": _distance,
    "kid": _kid,
    "mmd": _cmmd,
    "inception_score": _inception_score,
    "precision_recall": _precision_recall,
    "density_coverage": _density_coverage,
    "classes": _classes,
    "class_accuracy": _class_accuracy,
    "class_frechet": _class_distance,
}
"""(the extractor, the number of samples) -> the measure."""
NOTHING = Answers(np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32))  # of no extractor


def measures_of(field: Any, name: str, wanted: Wanted) -> tuple[list[Measure], Sight]:
    """See `measure`. field: of any images."""
    names = list(named(wanted.measures, {name: name for name in (*MEASURES, *PAIRED)}))
    of_pairs = any(name in PAIRED for name in names)
    using = extractor(wanted.extractor, wanted.weights) if any(name in MEASURES for name in names) else None
    chosen = [
        MEASURES[name](using, wanted.samples) if using and name in MEASURES else PAIRED[name](wanted.weights)
        for name in names
    ]

    def see(rows: Mapping[str, np.ndarray], real: bool) -> Seen:
        answers = remembered(using, rows[name], wanted.cache if real else None) if using else NOTHING
        pairs = (rows[name], rows[TRUTH]) if of_pairs and TRUTH in rows else None
        shown = written(rows, name, wanted.meanings) if OCR in names else None
        return Seen(answers, np.asarray(rows["label"], int) if "label" in rows else None, pairs, shown)

    def join(parts: Sequence[Seen]) -> Seen:
        answers = Answers(*map(np.concatenate, zip(*(part.answers for part in parts), strict=True)))
        labels = [part.labels for part in parts if part.labels is not None]
        pairs = [part.pairs for part in parts if part.pairs is not None]
        images, truth = (list(each) for each in zip(*pairs, strict=True)) if pairs else ([], [])
        together = (np.concatenate(images), np.concatenate(truth)) if pairs else None
        shown = joined([part.written for part in parts])
        return Seen(answers, np.concatenate(labels) if len(labels) == len(parts) else None, together, shown)

    return chosen, Sight(see, join, using)
