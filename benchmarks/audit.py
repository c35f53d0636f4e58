"""How many planted copies the audit finds, and how often it finds some where there are none.

    python benchmarks/audit.py --data=digits [--runs=200] [--train=… --unseen=… --made=…]

Each run splits the real images anew into training, unseen and made ones, all draws of one law, and replaces a share
of the made ones by copies of training images: exact, with normal noise, or moved by a pixel. Prints, as a Markdown
table, the share of runs whose p-value is at most 0.05, and how that moves for distances in place of scores and for a
rank sum in place of the likelihood ratio.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.datasets import load_digits

from aigc_jax.data.sets import idx
from aigc_jax.metrics.memorisation import LEVEL, excess, nearest_images

FASHION = Path("/usr/share/datasets/fashion-mnist")
SHARES = (0.005, 0.01, 0.02)
NOISE = 8  # grey levels of 255, the standard deviation
ORDERS = 499
SIZES = {"digits": (597, 600, 600), "fashion_mnist": (500, 2000, 1000)}  # training, unseen, made


def images_of(data: str) -> np.ndarray:
    """All there are, uint8 [N, H, W, 1]."""
    if data == "digits":
        return np.round(load_digits().images * (255 / 16)).astype(np.uint8)[..., None]
    return np.concatenate([idx.read_split(FASHION, split)[0] for split in idx.FILES])


def moved(image: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """By a pixel, straight or diagonally, black coming in."""
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
    down, right = moves[random.randint(len(moves))]
    height, width, _ = image.shape
    framed = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    return framed[1 + down : 1 + down + height, 1 + right : 1 + right + width]


def copies_of(images: np.ndarray, random: np.random.RandomState) -> dict[str, np.ndarray]:
    """The images copied in each way."""
    noise = NOISE * random.randn(*images.shape)
    return {
        "exact": images,
        "noisy": np.clip(np.rint(images + noise), 0, 255).astype(np.uint8),
        "moved": np.stack([moved(image, random) for image in images]),
    }


def tests(unseen: np.ndarray, made: np.ndarray, near: dict[str, np.ndarray], seed: int) -> dict[str, float]:
    """p-values of the audit's test and of its alternatives. unseen, made: rows of `near`."""
    score, distance = near["score"], near["distance"]
    return {
        "the audit": excess(score[unseen], score[made], seed, ORDERS).p_value,
        "distances": excess(distance[unseen], distance[made], seed, ORDERS).p_value,
        "rank sum": mannwhitneyu(score[made], score[unseen], alternative="less").pvalue,
    }


def main() -> None:
    """Reads the arguments and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=SIZES, required=True)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first run")
    parser.add_argument("--clean", action="store_true", help="plant no copies: false alarms alone")
    for part in ("train", "unseen", "made"):
        parser.add_argument(f"--{part}", type=int, default=0, help="images; 0 = the usual number")
    options = parser.parse_args()
    given = (options.train, options.unseen, options.made)
    train, unseen, made = (size or usual for size, usual in zip(given, SIZES[options.data], strict=True))
    images, found = images_of(options.data), defaultdict(list)
    began, most = time.time(), round(max(SHARES) * made)
    for run in range(options.first, options.first + options.runs):
        random = np.random.RandomState(run)
        chosen = images[random.permutation(len(images))[: train + unseen + made]]
        real, rest = chosen[:train], chosen[train:]
        kinds = {} if options.clean else copies_of(real[random.choice(train, most, replace=False)], random)
        nearest = nearest_images(real, np.concatenate([rest, *kinds.values()]))
        near = {"score": nearest.scores, "distance": nearest.distances[:, 0]}
        held, drawn = np.arange(unseen), np.arange(unseen, unseen + made)
        cases = {("none", 0.0): drawn}
        for number, kind in enumerate(kinds):
            first = unseen + made + number * most
            for share in SHARES:
                count = round(share * made)
                cases[kind, share] = np.concatenate([drawn[count:], np.arange(first, first + count)])
        for case, rows in cases.items():
            for test, p_value in tests(held, rows, near, run).items():
                found[case, test].append(p_value <= LEVEL)
    print(
        f"{options.data}: {train} training, {unseen} unseen, {made} made; {options.runs} runs from {options.first} on"
    )
    print(f"{time.time() - began:.0f} s\n")
    names = sorted({test for _, test in found}, key=["the audit", "distances", "rank sum"].index)
    print("| copies | share | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names))
    for kind, share in dict.fromkeys(case for case, _ in found):
        rates = " | ".join(f"{np.mean(found[(kind, share), test]):.1%}" for test in names)
        print(f"| {kind} | {share:.1%} | {rates} |")


if __name__ == "__main__":
    main()
