"""A test of whether a model copies its training set, against real examples that it was not trained on.

Every sample and unseen example x has a score, small where one training example is much nearer than others:

    s(x) = |x - t_1| / mean_j |x - t_j|,   t_1 … t_k the training examples nearest to x

(Carlini et al. 2023, arXiv:2301.13188, section 5). It is 0 for an exact copy. The distance |x - t_1| alone would call
plain images copies, since they are near to many.

Under the null hypothesis samples and unseen examples have one distribution, and all orders of their scores are equally
likely. A rank sum (Meehan, Chaudhuri & Dasgupta 2020, arXiv:2004.05675, section 3) hardly moves by a few copies among
many samples. The statistic here looks at the lowest K scores, for every K up to a quarter of all: it is the largest
over K of Berk & Jones's likelihood ratio (1979),

    K KL(share of samples among the K lowest || share of samples among all),   where the former is the larger,

which finds a few exact copies and also a slight nearness of all samples. The p-value over random orders,
(1 + orders at least as extreme) / (1 + orders), is exact for any scores and ties (Phipson & Smyth 2010,
arXiv:1603.05766).
"""

import math
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.special import rel_entr
from sklearn.neighbors import NearestNeighbors

from aigc_jax.errors import UserError

NEIGHBOURS = 50  # k, as in section 5 of Carlini et al.
REACH = 1  # pixels by which an image is shifted, each way, to match a training image
ORDERS = 1999  # random ones: p-values go down to 0.0005
LEVEL = 0.05  # of significance
DEEPEST = 0.25  # the largest K, as a share of all scores
AT_A_TIME = 2**21  # labels of random orders in memory


class Nearest(NamedTuple):
    """The training examples nearest to each query, the nearest first."""

    examples: np.ndarray  # int64 [N, k]: their numbers
    distances: np.ndarray  # float64 [N, k]

    @property
    def scores(self) -> np.ndarray:
        """s, float64 [N], in 0 … 1; 0 where all k are at distance 0."""
        means = self.distances.mean(1)
        return np.divide(self.distances[:, 0], means, out=np.zeros(len(means)), where=means > 0)

    def of(self, rows: np.ndarray) -> "Nearest":
        """Of these queries."""
        return Nearest(self.examples[rows], self.distances[rows])


class Finding(NamedTuple):
    """The result of the test."""

    p_value: float
    lowest: np.ndarray  # int64 [n], the samples among the K lowest scores, ascending; K maximises the statistic
    expected: float  # how many samples chance would put among those unseen examples
    detectable: int  # this many samples that score below all unseen examples are always found; none is: all scores


def nearest(train: np.ndarray, queries: np.ndarray) -> Nearest:
    """By Euclidean distance of features: float [M, D] and [N, D].

    Raises UserError where the training set has fewer than two examples.
    """
    if len(train) < 2:
        raise UserError(f"Looking for copies needs two training examples at least, and there are {len(train)}.")
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(train)), algorithm="brute")
    distances, examples = search.fit(np.asarray(train, np.float64)).kneighbors(np.asarray(queries, np.float64))
    return Nearest(examples, distances)


def nearest_of(chunks: Iterable[np.ndarray], queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(number of the training image nearest to each query, int64 [N], and how far it is, float64 [N]).

    By the root mean square of differences in grey levels, as images lie. chunks: uint8 [M, ...], of the training set in
    its order; queries: uint8 [N, ...].
    """
    rows = np.asarray(queries, np.float32).reshape(len(queries), -1)
    best, numbers, start = np.full(len(rows), np.inf), np.zeros(len(rows), np.int64), 0
    for chunk in chunks:
        others = np.asarray(chunk, np.float32).reshape(len(chunk), -1)
        squares = np.square(others).sum(1) - 2 * rows @ others.T + np.square(rows).sum(1)[:, None]
        place = squares.argmin(1)
        found = np.square(np.float64(rows) - others[place]).mean(1)
        numbers, best = np.where(found < best, start + place, numbers), np.minimum(found, best)
        start += len(chunk)
    return numbers, np.sqrt(best)


def longest_shared(text: str, training: str) -> str:
    """The longest part of a text that is also in the training text; the first of several."""
    start, longest = 0, ""
    for end in range(1, len(text) + 1):
        while text[start:end] not in training:
            start += 1
        if end - start > len(longest):
            longest = text[start:end]
    return longest


def nearest_images(train: np.ndarray, queries: np.ndarray) -> Nearest:
    """By the root mean square of differences in grey levels: uint8 [M, H, W, C] and [N, H, W, C].

    A query is compared at all shifts up to REACH pixels, over what stays in the frame: a shifted copy is a copy.
    Raises UserError where the images are smaller than that, or the training set has fewer than two.
    """
    if min(train.shape[1:3]) <= 2 * REACH:
        raise UserError(f"Looking for copies needs images of more than {2 * REACH} pixels, and these are smaller.")
    still = next(_windows(train))
    scale = math.sqrt(math.prod(still.shape[1:]))
    found = [nearest(still.reshape(len(train), -1), moved.reshape(len(queries), -1)) for moved in _windows(queries)]
    best = np.argmin([each.distances[:, 0] for each in found], axis=0)
    examples, distances = (np.stack(each)[best, np.arange(len(queries))] for each in zip(*found, strict=True))
    return Nearest(examples, distances / scale)


def _windows(images: np.ndarray) -> Iterator[np.ndarray]:
    """The images without a frame of REACH pixels, unshifted and at every shift."""
    _, height, width, _ = images.shape
    moves = sorted(product(range(-REACH, REACH + 1), repeat=2), key=lambda move: (abs(move[0]) + abs(move[1]), move))
    for down, right in moves:
        yield images[:, REACH + down : height - REACH + down, REACH + right : width - REACH + right]


def excess(unseen: np.ndarray, made: np.ndarray, seed: int, orders: int = ORDERS) -> Finding:
    """Tests whether samples have more of the lowest scores than chance gives them.

    unseen: float [n], made: float [m], scores of unseen examples and of samples. seed: of the random orders.
    Raises UserError where there are none.
    """
    if not len(unseen) or not len(made):
        raise UserError(f"Looking for copies needs unseen examples ({len(unseen)} given) and samples ({len(made)}).")
    scores = np.concatenate([made, unseen])
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    last_of_ties = np.append(ordered[1:] > ordered[:-1], True)
    depths = np.flatnonzero(last_of_ties) + 1
    depths = depths[depths <= max(DEEPEST * len(scores), depths[0])]
    share = len(made) / len(scores)

    labels = order < len(made)
    ratios = _likelihood_ratios(labels[None], depths, share)[0]
    depth = depths[ratios.argmax()]

    random, highest = np.random.default_rng(seed), []
    rows = max(1, AT_A_TIME // len(scores))
    for done in range(0, orders, rows):
        some = np.tile(labels, (min(rows, orders - done), 1))
        highest.append(_likelihood_ratios(random.permuted(some, axis=1), depths, share).max(1))
    null = np.concatenate(highest)
    lowest = order[:depth][labels[:depth]] if ratios.max() > 0 else order[:0]
    critical = np.sort(null)[-math.floor(LEVEL * (1 + orders))]  # what is above it has p <= LEVEL
    detectable = math.floor(critical / -math.log(share)) + 1
    return Finding(
        p_value=float((1 + np.sum(null >= ratios.max())) / (1 + orders)),
        lowest=lowest,
        expected=float((depth - len(lowest)) * len(made) / len(unseen)),
        detectable=detectable if detectable <= DEEPEST * len(scores) else len(scores),
    )


def _likelihood_ratios(labels: np.ndarray, depths: np.ndarray, share: float) -> np.ndarray:
    """float [orders, depths]. labels: bool [orders, all], whether the one of each rank is a sample."""
    found = labels.cumsum(1)[:, depths - 1] / depths
    ratios = depths * (rel_entr(found, share) + rel_entr(1 - found, 1 - share))
    return np.where(found > share, ratios, 0)
