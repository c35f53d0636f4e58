"""The console command `aigc_jax`: its verbs, and where each is answered."""

import argparse
import importlib
import inspect
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from aigc_jax import __version__
from aigc_jax.config import nearest
from aigc_jax.errors import ConfigError
from aigc_jax.places import expanded

PROGRAM = "aigc_jax"
MODES = ("train", "preflight", "evaluate", "sample", "audit")  # verbs over one run, which `modes` answers
WIDE = 100  # columns of a screen
HELP = ("-h", "--help", "--helpfull", "help")
VERBS = (
    {
        "train": ("CONFIG --workdir=RUN", "train a model, or go on with a run"),
        "preflight": ("CONFIG --workdir=RUN", "what it will need: memory, disk, time; refuses what cannot work"),
        "evaluate": ("RUN", "measure it"),
        "sample": ("RUN", "draw samples from it"),
        "audit": ("RUN | TRAIN HELDOUT MADE", "look for copies of training examples among samples"),
        "latent": ("walk|mix|project|... RUN", "look around in the latent space of a generator"),
        "edit": ("RUN IMAGE ... --task=TASK", "fill, enlarge, sharpen or vary images with a run of diffusion"),
        "ask": ("RUN sample|evaluate|save", "have it sample, evaluate or save while it trains"),
        "verify": ("RUN", "hold its checkpoints against their manifests"),
        "report": ("RUN ... --out=PAGE", "runs side by side on a page, with samples and curves"),
        "compare": ("RUN ...", "the figures of runs side by side"),
        "board": ("FOLDER --out=PAGE", "a table of the figures of many runs"),
        "points": ("RUN ...", "how far runs are from a density that is known"),
    },
    {
        "configs": ("[NAME]", "the configurations that come with this package"),
        "data": ("show | prepare NAME", "what is in a data set; prepare one ahead of time"),
        "convert": ("FILE ... --name=NAME", "bring in the published weights of an extractor"),
        "average": ("RUN FOLDER --width=WIDTH", "its weights averaged over another part of training"),
        "export": ("RUN FOLDER", "write a trained network as a folder of weights"),
        "ship": ("RUN NAME", "make an extractor of a classifier that was trained here"),
        "folders": ("REAL MADE", "distances of a folder of images from a real one"),
        "texts": ("TRAINING MADE", "how varied texts are, and how much of them is copied"),
        "similarity": ("ONE OTHER", "L1, PSNR, SSIM, LPIPS of images pair by pair"),
        "transcribe": ("FOLDER WAV ...", "what is said in sounds, by a published Whisper"),
        "baselines": ("CONFIG", "what copies and means reach in place of a model of pairs"),
        "utility": ("MADE", "what labelled samples are worth in training a classifier"),
        "prefer": ("page|score ...", "ask people which of two samples is better"),
        "unpack": ("FILE FOLDER", "write the samples of one file as files of their own"),
    },
)
"""Groups of verb -> (what it takes, what it does). Those that are neither modes nor "data" are in `commands`."""


class Parser(argparse.ArgumentParser):
    """Of a command that a module's docstring describes. Its help fits a screen; what is wrong, it says in one line.

    An argument of type Path may begin with `~`, and is not empty.
    """

    def __init__(self, **options: Any):
        super().__init__(**{**options, "formatter_class": _formatter})
        self.register("type", Path, _path)

    def describe(self, text: str | None) -> None:
        """Takes a docstring as the description: its paragraphs are wrapped, and indented lines are kept."""
        paragraphs = inspect.cleandoc(text or "").split("\n\n")
        self.description = "\n\n".join(p if p.startswith(" ") else textwrap.fill(p, WIDE) for p in paragraphs)

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[:1].upper()}{message[1:]}: see {self.prog} --help.")


def _path(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty: is the variable set that it is taken from?")
    return expanded(text)


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=30, width=WIDE)


def overview() -> str:
    """The help of the whole: a line for each command."""
    groups = ["\n".join(f"  {f'{verb} {takes}':<33}{does}" for verb, (takes, does) in verbs.items()) for verbs in VERBS]
    return f"usage: {PROGRAM} COMMAND ...      ({PROGRAM} COMMAND --help says more)\n" + "\n\n".join(groups)


def main(argv: Sequence[str], began: float) -> None:
    """Does what the command line asks for. argv: "aigc_jax", a verb, and what that takes; began: when it started.

    Raises UserError.
    """
    verb, *rest = [*argv[1:]] or HELP[:1]
    program = f"{PROGRAM} {verb}"
    known = [name for verbs in VERBS for name in verbs]
    if verb in HELP:
        print(overview())
    elif verb == "--version":
        print(f"{PROGRAM} {__version__}")
    elif verb not in known:
        raise ConfigError(f'There is no command "{verb}".{nearest(verb, known)}')
    elif verb == "data":
        importlib.import_module("aigc_jax.data.__main__").command_line(Parser(prog=program), rest)
    elif verb in MODES and not _of_files(verb, rest):
        importlib.import_module("aigc_jax.modes").run([program, *_flags(verb, rest)], began, verb)
    else:
        run(verb, rest, program)


def run(name: str, arguments: Sequence[str], program: str) -> None:
    """Runs a module of `aigc_jax.commands`. program: as the help calls it. Raises UserError."""
    module = importlib.import_module(f"aigc_jax.commands.{name}")
    parser = Parser(prog=program)
    parser.describe(module.__doc__)
    module.arguments(parser)
    takes = next(verbs[name][0] for verbs in VERBS if name in verbs)
    parser.usage = f"%(prog)s {takes.split(' | ')[-1]} [--OPTION=VALUE ...]"  # argparse's own takes lines
    options = parser.parse_args(arguments)
    importlib.import_module("aigc_jax.command").prepare_jax(distributed=False)
    module.run(options)


def _of_files(verb: str, arguments: Sequence[str]) -> bool:
    """Whether an audit is one of files: a run is a single folder."""
    return verb == "audit" and len(arguments) > 1 and not any(each.startswith("-") for each in arguments[:2])


def _flags(verb: str, arguments: Sequence[str]) -> list[str]:
    """The arguments as flags. What comes before them is a run's folder; before it is trained, a configuration."""
    if not arguments or arguments[0].startswith("-"):
        return [*arguments]
    what, *rest = arguments
    new = verb in ("train", "preflight") and not (expanded(what) / "config.json").is_file()
    return [f"--{'config' if new else 'workdir'}={what}", *rest]
