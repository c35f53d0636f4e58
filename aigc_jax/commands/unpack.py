"""Write the samples of one file as one file each.

    aigc_jax unpack runs/ddpm/samples/sample_00003000.npz FOLDER

FILE is what --mode=sample writes: a .npz or .npy file of images becomes .png files, a .jsonl file of texts .txt files.
"""

import argparse
from pathlib import Path

from aigc_jax.data.grid import png
from aigc_jax.errors import UserError, naming
from aigc_jax.evaluate import files


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="to write to: a new or an empty one")


def run(options: argparse.Namespace) -> None:
    """Writes the files, numbered. Raises UserError for a file of neither, and for a folder that holds something."""
    if options.folder.is_dir() and any(options.folder.iterdir()):
        raise UserError(f"{options.folder} is not empty: give another folder.")
    if options.file.suffix == ".jsonl":
        suffix, contents = ".txt", [text.encode() for text in files.load_texts(options.file)]
    else:
        suffix, contents = ".png", [png(image).getvalue() for image in files.load_array(options.file)]
    with naming(options.folder):
        options.folder.mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(contents):
            (options.folder / f"{number:06d}{suffix}").write_bytes(content)
    print(f"{len(contents):,} samples: {options.folder}")
