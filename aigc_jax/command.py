"""What main.py does: command line in, one clear line out when something is wrong."""

import os
import runpy
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
from absl import flags, logging

from aigc_jax import places
from aigc_jax.config import check_overrides, nearest
from aigc_jax.errors import ConfigError, Stopped, UserError, room

HEARTBEAT = 60  # seconds after which JAX's coordinator counts a silent process as dead, and the others end
COLLECTIVES = ("Gloo", "NCCL", "RCCL")  # what errors of operations between processes name


def leave(code: int) -> None:
    """Ends the process; with an error or a stop at once, since threads may still be computing or writing in vain."""
    sys.stdout.flush()
    sys.stderr.flush()
    if code:
        os._exit(code)
    sys.exit(0)


def guarded(function: Callable[[list[str]], None], argv: list[str]) -> int:
    """The exit code of `function(argv)`; a UserError becomes one line on the standard error."""
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
        where = f" ({error.filename}; {room(Path(error.filename).parent)})" if isinstance(error.filename, str) else ""
        print(f"aigc_jax: {error.strerror or error}{where}: what was saved before is intact.", file=sys.stderr)
        return 1
    except Exception as error:
        if not jax.distributed.is_initialized():
            raise
        # Leaving by the interpreter's end would wait for the other processes, which wait for this one.
        if isinstance(error, jax.errors.JaxRuntimeError) and any(name in str(error) for name in COLLECTIVES):
            print("aigc_jax: another process has ended: the same command resumes.", file=sys.stderr)
        else:
            traceback.print_exc()
        return 1
    return 0


def _quieten() -> None:
    """Drops the tracebacks of threads that write to a full or vanished disk: the main thread says that in one line."""
    in_callback, in_thread = sys.unraisablehook, threading.excepthook

    def callback_hook(failed: "sys.UnraisableHookArgs") -> None:
        if str(failed.exc_value) != "Event loop is closed":  # of writes that are left when one beside them failed
            in_callback(failed)

    def thread_hook(failed: threading.ExceptHookArgs) -> None:
        if not issubclass(failed.exc_type, OSError):
            in_thread(failed)

    sys.unraisablehook, threading.excepthook = callback_hook, thread_hook


def parse(values: flags.FlagValues, argv: list[str]) -> Mapping[str, Any]:
    """Parses argv into absl's flags and returns the configuration, overrides applied.

    Raises ConfigError for an unknown flag, key or mode, a wrong type, or a missing file.
    """
    try:
        rest = values(argv)
        config = values.config and values.config.to_dict()  # a file that failed to load says so here
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError, SyntaxError) as error:
        _explain(argv, error)
    if config is None:
        raise ConfigError("Which configuration? Give --config=configs/….py")
    if values.workdir is None:
        raise ConfigError("Where to? Give --workdir=FOLDER for checkpoints, samples and the report.")
    if "://" in values.workdir:
        raise ConfigError(f"--workdir={values.workdir} is no local folder: mount the bucket and give its path.")
    if rest[1:]:
        raise ConfigError(f'"{rest[1]}" is no flag: write --name=value.')
    return config


def _explain(argv: list[str], error: Exception) -> None:
    """Raises the ConfigError behind what parsing raised."""
    for cause in (error, error.__cause__, error.__context__):
        if isinstance(cause, UserError):
            raise cause
    path = next((a.split("=", 1)[1] for a in argv if a.startswith(("--config=", "-config="))), None)
    if path is not None:
        file, _, size = path.partition(":")
        if not Path(file).is_file():
            folder = Path(file).parent
            known = [str(p) for p in folder.glob("*.py")] if folder.is_dir() else []
            raise ConfigError(f"There is no configuration file {file}.{nearest(file, known)}") from error
        get_config = runpy.run_path(file).get("get_config")
        if get_config is None:
            raise ConfigError(f"{file} defines no get_config(size): see configs/ for how one is written.") from error
        check_overrides(get_config(*[size] if size else []), argv)
    raise ConfigError(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__) from error


def prepare_jax(distributed: bool) -> None:
    """Joins the other processes, if any, and turns on the cache of compiled programs.

    A cluster is found from its environment (TPU, SLURM, …) with `distributed`, or told by
    JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID.
    """
    logging.set_verbosity(logging.FATAL)  # orbax logs a failed write many times over, besides raising it
    folder = places.cache("programs")
    if folder:
        # Entries are programs that jax executes: the folder is the user's alone.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
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


UNMET = {  # JAX's settings for debugging that programs of this project, flax or optax do not meet
    "jax_disable_jit": (True,),
    "jax_numpy_dtype_promotion": ("strict",),
    "jax_numpy_rank_promotion": ("raise",),
    "jax_transfer_guard": ("disallow", "disallow_explicit"),  # a training step is held to it in any case
}


def check_settings() -> None:
    """Raises ConfigError for settings of JAX that no run meets, and for a platform that is not there."""
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
