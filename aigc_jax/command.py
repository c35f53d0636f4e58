"""Command lines over one run: parsing, help, errors in one line, and the set-up of jax."""

import errno
import os
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

try:
    import jax
except ValueError as wrong:  # of an environment variable, before there is anything to report it with
    sys.stderr.write(f"aigc_jax: jax cannot start ({wrong}): mend or unset that variable.\n")
    raise SystemExit(2) from None
from absl import flags, logging
from ml_collections import ConfigDict

from aigc_jax import consoles, experiments, places
from aigc_jax.config import leaves, nearest
from aigc_jax.errors import ConfigError, Stopped, UserError, room, unwritable

HEARTBEAT = 60  # seconds without a sign of life after which JAX's coordinator ends the other processes
NOT_OF_THE_DISK = (errno.EISDIR, errno.ENOTDIR, errno.ENOENT, errno.EACCES, errno.EPERM, errno.EEXIST)
COLLECTIVES = ("Gloo", "NCCL", "RCCL")  # named in errors of collective operations
HELP = {"-h", "-help", "--help", "--helpfull", "--helpshort"}
MODES = {
    "train": "Trains a configuration; the same command, or --workdir alone, goes on after an interruption.",
    "preflight": "Says what a run needs before it starts, and refuses what cannot work; leaves its folder alone.",
    "evaluate": "Measures the best checkpoint of a run, or the newest, over the evaluation split.",
    "sample": "Draws samples from the best checkpoint of a run, or the newest, into its folder.",
    "audit": "Looks for copies of training examples among samples of a run.",
}
FLAGS = {
    "--workdir=RUN": "folder of checkpoints, samples, measures and the report",
    "--config=CONFIG": "a name that `aigc_jax configs` lists, or a file; ':tiny' after it: its twin\n"
    "(default: the configuration of the run in --workdir)",
    "--config.KEY=VALUE": "changes a setting; docs/configs.md has all of them",
    "--mode=MODE": f"{', '.join(MODES)} (default: train)",
    "--data_dir=FOLDER": "of prepared data sets (default: $TFDS_DATA_DIR, ~/tensorflow_datasets)",
    "--distributed": "join the other processes of a TPU pod, SLURM job or GPU cluster",
}
EXAMPLES = {
    "": ["python main.py --config=ddpm_digits --workdir=runs/a --config.train.steps=1000"],
    "train": ["aigc_jax train ddpm_digits --workdir=runs/a --config.train.steps=1000"],
    "preflight": ["aigc_jax preflight ddpm_cifar --workdir=runs/a"],
    "evaluate": ["aigc_jax evaluate runs/a --config.evaluate.split=train"],
    "sample": [
        "aigc_jax sample runs/a --config.sample.n=16 --config.sample.seed=1",
        "aigc_jax sample runs/a --config.sample.given=cat",
    ],
    "audit": [
        "aigc_jax audit runs/a --config.sample.n=1000",
        "aigc_jax audit TRAIN HELDOUT MADE --out=FOLDER     (files; with --help: more)",
    ],
}


def leave(code: int) -> None:
    """Ends the process; after an error or a stop at once, without waiting for its threads."""
    sys.stdout.flush()
    sys.stderr.flush()
    if code:
        os._exit(code)
    sys.exit(0)


def guarded(function: Callable[[list[str]], None], argv: list[str]) -> int:
    """The exit code of `function(argv)`; a UserError becomes one line on the standard error."""
    consoles.make_lasting()
    _quieten()
    try:
        function(argv)
    except Stopped as stopped:
        print(stopped)
        return stopped.code
    except KeyboardInterrupt:
        print("aigc_jax: stopped.", file=sys.stderr)
        return 130
    except UserError as error:
        print(f"aigc_jax: {error}", file=sys.stderr)
        return error.code
    except OSError as error:  # a full or vanished disk, wherever it is met
        named = isinstance(error.filename, str)
        if error.errno in NOT_OF_THE_DISK and named and Path(error.filename).parent.is_dir():
            print(f"aigc_jax: {error.filename}: {error.strerror}: check the path.", file=sys.stderr)
            return 1
        where = f" ({error.filename}; {room(Path(error.filename).parent)})" if named else ""
        print(f"aigc_jax: {error.strerror or error}{where}: what was saved before is intact.", file=sys.stderr)
        return 1
    except Exception as error:
        if not jax.distributed.is_initialized():
            raise
        # The interpreter's exit would wait for the other processes, which wait for this one.
        if isinstance(error, jax.errors.JaxRuntimeError) and any(name in str(error) for name in COLLECTIVES):
            print("aigc_jax: another process has ended: the same command resumes.", file=sys.stderr)
        else:
            traceback.print_exc()
        return 1
    return 0


def _quieten() -> None:
    """Drops tracebacks of threads that write to a full or vanished disk: the main thread reports it in one line."""
    in_callback, in_thread = sys.unraisablehook, threading.excepthook

    def callback_hook(failed: "sys.UnraisableHookArgs") -> None:
        if str(failed.exc_value) != "Event loop is closed":  # of writes that are left when one beside them failed
            in_callback(failed)

    def thread_hook(failed: threading.ExceptHookArgs) -> None:
        if not issubclass(failed.exc_type, OSError):
            in_thread(failed)

    sys.unraisablehook, threading.excepthook = callback_hook, thread_hook


class CommandLine(NamedTuple):
    """What a command line over one run asks for."""

    config: Mapping[str, Any]
    mode: str
    workdir: str
    data_dir: str | None
    distributed: bool


def parse(argv: Sequence[str], mode: str = "") -> CommandLine:
    """Reads a command line: the program's name, and flags. mode: "" = the flag --mode says it.

    Without --config the configuration is that of the run in --workdir. Prints the help and raises SystemExit where that
    is asked for. Raises ConfigError for an unknown flag, key or mode, a wrong type, or a missing file.
    """
    if HELP & set(argv):
        print(usage(argv[0], mode))
        raise SystemExit(0)
    values = flags.FlagValues()
    values.set_gnu_getopt(True)  # flags that it does not know, and their values, are left for the configuration
    flags.DEFINE_string("config", None, "", flag_values=values)
    flags.DEFINE_string("workdir", None, "", flag_values=values)
    flags.DEFINE_string("data_dir", None, "", flag_values=values)
    flags.DEFINE_bool("distributed", False, "", flag_values=values)
    if not mode:
        flags.DEFINE_enum("mode", "train", list(MODES), "", flag_values=values)
    try:
        rest = values(list(argv), known_only=True)
    except (flags.Error, ValueError) as error:
        raise ConfigError(str(error)) from error
    for flag in ("config", "workdir", "data_dir"):
        if (given := values[flag].value) is not None and not given.strip():
            raise ConfigError(f"--{flag} is empty: is the variable set that it is taken from?")
    for argument in rest[1:]:
        if argument.startswith("-") and not re.match("--?(no)?config[.]", argument):
            name = argument.lstrip("-").partition("=")[0]
            raise ConfigError(f'There is no flag "--{name}".{_meant(name, values)}')
    config = experiments.changed(_configuration(values.config, values.workdir), rest)
    if values.workdir is None:
        raise ConfigError("Where to? Give --workdir=FOLDER for checkpoints, samples and the report.")
    if "://" in values.workdir:
        raise ConfigError(f"--workdir={values.workdir} is no local folder: mount the bucket and give its path.")
    if why := unwritable(places.expanded(values.workdir)):
        raise UserError(f"The work directory {values.workdir} cannot be written ({why}): choose another --workdir.")
    return CommandLine(config.to_dict(), mode or values.mode, values.workdir, values.data_dir, values.distributed)


def _meant(name: str, values: flags.FlagValues) -> str:
    """A suggestion for an unknown flag: keys of the configuration that end so, else a flag of similar spelling."""
    with suppress(UserError):
        known = leaves(_configuration(values.config, values.workdir))
        if keys := [f"--config.{key}=…" for key in known if key.rpartition(".")[2] == name]:
            return f" Did you mean {' or '.join(keys)}?"
    return nearest(name, [*values, "help"])


def _configuration(name: str | None, workdir: str | None) -> ConfigDict:
    if name:
        return experiments.load(name)
    if workdir and (path := places.expanded(workdir) / "config.json").is_file():
        return experiments.recorded(path)
    missing = f"There is no run in {workdir}." if workdir else "Which configuration?"
    raise ConfigError(f"{missing} Give --config=NAME or --config=FILE.py, or the --workdir of a run.")


def usage(program: str, mode: str = "") -> str:
    """The help of a command over one run. mode: "" = --mode says it."""
    if not mode:
        line, about = f"{program} --config=CONFIG --workdir=RUN [--mode=MODE]", "Trains, evaluates or samples a model."
    else:
        what = "CONFIG --workdir=RUN" if mode in ("train", "preflight") else "RUN"
        line, about = f"{program} {what}", MODES[mode]
    lines = [f"usage: {line} [--config.KEY=VALUE ...]", "", about, ""]
    for name, text in FLAGS.items():
        if not (mode and name.startswith("--mode")):
            first, *more = text.split("\n")
            lines += [f"  {name:<20} {first}", *(f"{'':<23}{other}" for other in more)]
    return "\n".join([*lines, "", *(f"  {example}" for example in EXAMPLES[mode])])


def prepare_jax(distributed: bool) -> None:
    """Joins the other processes, if any, and turns on the cache of compiled programs.

    A cluster is found from its environment (TPU, SLURM, …) with `distributed`, or told by
    JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID.
    """
    logging.set_verbosity(logging.FATAL)  # orbax logs a failed write many times over, besides raising it
    # Where the cache is full or read-only, the next start compiles again.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
    folder = places.cache("programs")
    if folder:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    elif os.environ.get(places.CACHE, "?").strip():
        print(
            f"aigc_jax: compiled programs are not kept, since their folder cannot be made or read: set {places.CACHE} "
            "to one that can, or to nothing to keep none.",
            file=sys.stderr,
        )
    address = os.environ.get("JAX_COORDINATOR_ADDRESS")
    if address:
        try:
            count, index = int(os.environ["JAX_NUM_PROCESSES"]), int(os.environ["JAX_PROCESS_ID"])
        except (KeyError, ValueError) as error:
            raise ConfigError(
                f"JAX_COORDINATOR_ADDRESS is set: JAX_NUM_PROCESSES and JAX_PROCESS_ID have to be numbers ({error})."
            ) from error
        jax.distributed.initialize(address, count, index, heartbeat_timeout_seconds=HEARTBEAT)
    elif distributed:
        jax.distributed.initialize(heartbeat_timeout_seconds=HEARTBEAT)
    check_settings()


UNMET = {  # JAX's settings for debugging under which programs of this project, flax or optax fail
    "jax_disable_jit": (True,),
    "jax_numpy_dtype_promotion": ("strict",),
    "jax_numpy_rank_promotion": ("raise",),
    "jax_transfer_guard": ("disallow", "disallow_explicit"),  # a training step is held to it in any case
}


def check_settings() -> None:
    """Raises ConfigError for settings of JAX under which every run fails, and for a platform that is not there."""
    for name, values in UNMET.items():
        if (value := getattr(jax.config, name)) in values:
            raise ConfigError(f"{name.upper()}={value} is met by no run here: unset it.")
    if platforms := os.environ.get("JAX_PLATFORMS"):
        try:
            jax.devices()
        except (RuntimeError, AssertionError) as error:
            said = (str(error) or "no such device").splitlines()[0].split(" (set JAX")[0]
            raise ConfigError(
                f"JAX_PLATFORMS={platforms} cannot be used ({said}): set it to cpu, unset it, or "
                "install JAX for that device."
            ) from error
