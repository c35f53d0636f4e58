"""Look for copies of training examples among samples.

    aigc_jax audit TRAIN HELDOUT MADE --out audit

TRAIN, HELDOUT (real images that the model was not trained on) and MADE are folders of images, or .npy or .npz files
of uint8 [N, H, W, C]. Prints what a test says, and writes the closest pairs as a page and a picture, with a record.
Take as many held-out images as there are: their number decides how few copies can be found.
"""

import argparse
from pathlib import Path

from aigc_jax import places
from aigc_jax.evaluate import files
from aigc_jax.evaluate.audit import audit, write
from aigc_jax.metrics.features.catalogue import extractor, names


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("train", metavar="TRAIN", type=Path)
    parser.add_argument("heldout", metavar="HELDOUT", type=Path)
    parser.add_argument("made", metavar="MADE", type=Path)
    parser.add_argument("--extractor", help=f"distances of its features, not of pixels: {', '.join(names())}")
    parser.add_argument("--size", type=int, default=0, help="side that images are cut and resized to")
    parser.add_argument("--grey", action="store_true", help="read the images as grey ones")
    parser.add_argument("--seed", type=int, default=0, help="of the test's random orders")
    parser.add_argument("--out", type=Path, required=True, help="folder for audit.html, closest.png and audit.json")


def run(options: argparse.Namespace) -> None:
    """Prints the verdict and writes the page. Raises UserError."""
    train, heldout, made = (
        files.load_images(path, options.size, options.grey) for path in (options.train, options.heldout, options.made)
    )
    using = extractor(options.extractor, places.weights()) if options.extractor else None
    found = audit(train, heldout, made, using, options.seed)
    print(found.verdict)
    suspicious = len(found.finding.lowest) if found.copies else 0
    print(f"p-value {found.finding.p_value:.4g}, {suspicious} suspicious of {found.made} samples")
    print(f"the closest pairs: {write(found, train, made, options.out)}")
