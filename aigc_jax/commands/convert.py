"""Convert a network's published weights.

    aigc_jax convert pt_inception-2015-12-05-6726825d.pth --name inception
    aigc_jax convert alexnet-owt-7be5be79.pth alex.pth --name lpips_alex

FILES are PyTorch's; PyTorch itself is not needed. Their SHA-256 have to be the published ones. The network of that name
finds what is written.
"""

import argparse
from pathlib import Path

from aigc_jax import places
from aigc_jax.metrics.features import published
from aigc_jax.metrics.features.catalogue import sources


def arguments(parser: argparse.ArgumentParser) -> None:
    known = sources()
    listed = "; ".join(
        f"{name}: {' and '.join(f'{source.file}, {source.origin}' for source in files)}"
        for name, files in known.items()
    )
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--name", metavar="NAME", required=True, choices=known, help=f"of the network. {listed}")


def run(options: argparse.Namespace) -> None:
    """Writes the weights into the folder of weight files. Raises UserError for any files but the published ones."""
    needed = sources()[options.name]
    path = published.place(places.weights(), options.name)
    published.save(path, published.arrays(options.files, needed), needed)
    print(f"{path}: the weights of {' and '.join(source.file for source in needed)}")
