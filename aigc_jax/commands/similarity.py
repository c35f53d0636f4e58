"""Compare images pair by pair: L1, PSNR, SSIM, LPIPS.

    aigc_jax similarity ONE OTHER --measures psnr ssim lpips_alex

ONE and OTHER are folders of images of the same names, such as targets and what was made of their sources, or .npy or
.npz files of uint8 [N, H, W, C] in the same order. Figures are means over the pairs.
"""

import argparse
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

from aigc_jax import places
from aigc_jax.errors import UserError
from aigc_jax.evaluate import files
from aigc_jax.evaluate.measure import finish, listed, named
from aigc_jax.metrics import similarity
from aigc_jax.metrics.bootstrap import Estimate, interval
from aigc_jax.metrics.features import lpips
from aigc_jax.metrics.record import Figure, Origin, Protocol


class Pairwise(NamedTuple):
    """A measure of pairs."""

    name: str
    estimate: Callable[[np.ndarray, np.ndarray], Estimate]
    extractor_sha256: str = ""


def _lpips(kind: lpips.Kind) -> Pairwise:
    variables, sha256 = lpips.load(kind, places.weights())
    return Pairwise(f"LPIPS-{kind}", partial(similarity.lpips, kind=kind, variables=variables), sha256)


MEASURES: dict[str, Callable[[], Pairwise]] = {
    "l1": lambda: Pairwise("L1", similarity.l1),
    "psnr": lambda: Pairwise("PSNR", similarity.psnr),
    "ssim": lambda: Pairwise("SSIM", similarity.ssim),
    **{f"lpips_{kind}": partial(_lpips, kind) for kind in get_args(lpips.Kind)},
}


USUAL = ("psnr", "ssim")  # measures


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("one", metavar="ONE", type=Path)
    parser.add_argument("other", metavar="OTHER", type=Path)
    parser.add_argument("--measures", metavar="NAME", nargs="+", default=USUAL, help=listed(MEASURES, USUAL))
    parser.add_argument("--size", type=int, default=0, help="side that images are cut and resized to")
    parser.add_argument("--grey", action="store_true", help="read the images as grey ones")
    parser.add_argument("--seed", type=int, default=0, help="of the intervals")
    parser.add_argument("--out", type=Path, help="file that the records are added to")


def run(options: argparse.Namespace) -> None:
    """Prints the figures, and adds their records to --out. Raises UserError."""
    _same_names(options.one, options.other)
    one, other = (files.load_images(path, options.size, options.grey) for path in (options.one, options.other))
    figures, left_out = [], []
    for measure in (make() for make in named(options.measures, MEASURES)):
        protocol = Protocol(
            measure=measure.name,
            data=options.one.name,
            data_sha256=hashlib.sha256(np.ascontiguousarray(one).tobytes()).hexdigest(),
            split="pairs",
            samples=len(one),
            extractor_sha256=measure.extractor_sha256,
            pixels=f"uint8 {list(one.shape[1:])}",
        )
        try:
            figures.append(Figure(protocol, interval(measure.estimate(one, other), options.seed), None))
        except UserError as error:
            left_out.append(f"{measure.name}: {error}")
    finish(figures, left_out, Origin(options.other.name, options.seed), options.out)


def _same_names(one: Path, other: Path) -> None:
    """Raises UserError for folders in which an image has no image of its name in the other."""
    if one.is_dir() and other.is_dir():
        names = [{file.relative_to(folder).with_suffix("") for file in files.images(folder)} for folder in (one, other)]
        if alone := sorted(names[0] ^ names[1]):
            raise UserError(
                f"{len(alone)} images of {one} and {other} have no partner of their name, the first is {alone[0]}: "
                "give folders with the same names."
            )
