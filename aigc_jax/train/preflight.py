"""Mode `preflight`: what a run needs, held against what there is, before it starts.

Builds the run, compiles its training program, takes some steps, evaluates a batch and draws samples, as training would.
Nothing is written into the run's folder. Every figure is of this machine.
"""

import math
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import jax
import numpy as np

from aigc_jax.errors import ConfigError, UserError, free_bytes, optional
from aigc_jax.method import PyTree, State
from aigc_jax.train import checkpoint
from aigc_jax.train.feed import AHEAD
from aigc_jax.train.journal import duration
from aigc_jax.train.recovery import saved
from aigc_jax.train.run import Run
from aigc_jax.train.workdir import Workdir

CALLS, SECONDS = 20, 3.0  # of the training program that are timed, at most
LONG = 30.0  # seconds after which something is not done a second time, when nothing compiles any more
WIDE, INDENT = 100, 10  # columns of the table, and of the names in it
UNITS = ("bytes", "kB", "MB", "GB", "TB")
LINE, VALUE = 60, 30  # bytes of a record in metrics.jsonl, and of each value in it
CGROUPS = (  # (limit, usage) of a container's memory
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def preflight(run: Run, workdir: Workdir) -> None:
    """Prints a table, a row as soon as it is known. Raises UserError for the first thing that cannot work."""
    workdir.check(run.config)
    workdir.check_data(run.data)
    if run.tracking.wandb:
        optional("wandb", "wandb", "tracking.wandb")
    run.check_best()
    _row("data", f"{run.data.name}: {_splits(run)}")
    for line in (*run.data.notes, *run.data.changed):
        _row("", line)
    _row("measures", _measures(run))
    done = max(saved(workdir.checkpoints), default=0)
    steps = max(run.pace.steps - done, 0)
    if steps:
        _disk(run, workdir, steps, 0)  # before anything takes long
        _row("memory", _memory(run))
        with TemporaryDirectory() as aside, _fitting():
            tried = _try(run, Path(aside))
        if peak := (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use"):
            _row("peak", f"{readable(peak)} on a device, with evaluating and sampling")
        _row("disk", _disk(run, workdir, steps, tried.picture))
        _row("time", _time(run, steps, tried))
    _row("ready", f"{steps:,} steps to take" + (f" after the {done:,} that are saved" if done else ""))


def _row(name: str, text: str) -> None:
    if jax.process_index() == 0:
        print(textwrap.fill(f"{name:<{INDENT}}{text}", WIDE, subsequent_indent=" " * INDENT), flush=True)


def _splits(run: Run) -> str:
    return ", ".join(f"{name} {len(source):,}" for name, source in run.data.splits.items())


def _measures(run: Run) -> str:
    ofs = f"{', '.join(run.programs.measures())} of {run.evaluation.split}"
    of_samples = [f"; {', '.join(judge.names)} of {judge.count:,} samples" for judge in run.judges.values()]
    return "".join([ofs, *of_samples])


# Memory


def _memory(run: Run) -> str:
    """What training holds on a device at a time. Raises ConfigError where that is more than there is."""
    pace, programs, feed = run.pace, run.programs, run.feeds["train"]
    with closing(feed.training(run.batch_size, run.seed, 0, pace.steps_per_call, pace.steps_per_call)) as batches:
        items = next(batches)
    with _fitting():
        programs.compile_ahead(feed.described, items)()
    state, data = held((programs.described, programs.frozen, programs.described_sums)), held(feed.described)
    if run.evaluation.split != "train":
        data += held(run.feeds[run.evaluation.split].described)
    ahead = (1 + AHEAD) * held(items)
    found = programs.memory()
    parts = {"state": state, "resident data": data, "batches": ahead}
    if found is not None:  # what the program needs besides its arguments, some of which its results take over
        results = max(found.output_size_in_bytes - found.alias_size_in_bytes, 0)
        parts["a step"] = found.temp_size_in_bytes + results + found.generated_code_size_in_bytes
    need, there = sum(parts.values()), available()
    said = f"{readable(need)} a device ({', '.join(f'{name} {readable(size)}' for name, size in parts.items())})"
    if found is None:
        said += ", and a step's own, which pmap does not tell"
    if there is not None and need > there:
        raise ConfigError(
            f"Training needs {said}, and there are {readable(there)}: set a smaller data.batch_size, a larger "
            "parallel.fsdp, or remat=True where the network has it."
        )
    return f"{said}, of {readable(there) if there is not None else 'an unknown amount'}"


def held(tree: PyTree) -> int:
    """Bytes on the device that holds most of a tree: arrays or their shapes, with shardings."""

    def one(leaf: Any) -> int:
        sharding = getattr(leaf, "sharding", None)
        shape = sharding.shard_shape(leaf.shape) if sharding is not None else leaf.shape
        return math.prod(shape) * leaf.dtype.itemsize

    return sum(map(one, jax.tree.leaves(tree)))


def available() -> int | None:
    """Bytes that this process may use on each of its devices; None = not known."""
    device = jax.local_devices()[0]
    if stats := device.memory_stats():
        return int(stats["bytes_limit"]) if "bytes_limit" in stats else None
    if device.platform != "cpu":
        return None
    there = host()
    return None if there is None else there // jax.local_device_count()


def host() -> int | None:
    """Bytes of this machine's memory, or of the container's, that are not in use; None = not known."""
    found = []
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError):
        pass
    for limit, usage in CGROUPS:
        try:
            found.append(int(Path(limit).read_text("ascii")) - int(Path(usage).read_text("ascii")))
        except (OSError, ValueError):  # "max" is no limit
            continue
    return max(min(found), 0) if found else None


@contextmanager
def _fitting() -> Iterator[None]:
    """Says in a line what does not fit a device after all."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        said = str(error).splitlines()[0][:200]
        raise ConfigError(f"A device's memory does not hold it ({said}): set a smaller data.batch_size.") from error


# Time


class Tried(NamedTuple):
    """Seconds, and bytes."""

    step: float
    evaluation: float  # over the whole split, without samples
    drawing: float  # what `sample` asks for
    judging: Mapping[str, float]  # what each of `evals` asks for: drawing samples and looking at them
    picture: int  # bytes of what `sample` writes


def _try(run: Run, aside: Path) -> Tried:
    """Takes steps, evaluates and draws as training does. aside: an empty folder."""
    programs, feed, pace = run.programs, run.feeds["train"], run.pace
    state, sums = programs.mapped(programs.init()), programs.mapped(programs.start_sums())
    resident = programs.mapped(feed.resident)
    last = (CALLS + 2) * pace.steps_per_call
    with closing(feed.training(run.batch_size, run.seed, 0, last, pace.steps_per_call)) as batches:

        def call() -> None:
            nonlocal state, sums
            state, sums = programs.train(state, sums, resident, next(batches))

        def waited() -> None:
            call()
            jax.block_until_ready(sums)

        one = seconds(waited)
        calls = int(min(max(SECONDS / one, 1), CALLS))
        began = time.monotonic()
        for _ in range(calls):
            call()
        jax.block_until_ready(sums)
    step = (time.monotonic() - began) / calls / pace.steps_per_call
    state = programs.canonical(state)
    return Tried(step, _evaluating(run, state), *_drawing(run, state, aside))


def _evaluating(run: Run, state: State) -> float:
    size, limit = run.evaluation.batch_size, run.evaluation.batches
    batches = -(-len(run.feeds[run.evaluation.split].source) // size)
    one = run._replace(evaluation=run.evaluation._replace(batches=1))
    return seconds(lambda: one.measure(state)) * (min(batches, limit) if limit else batches)


def _drawing(run: Run, state: State, aside: Path) -> tuple[float, dict[str, float], int]:
    """(seconds of drawing what `sample` asks for, seconds of each of `evals`, bytes of the first)."""
    if run.programs.method.sample is None:
        return 0.0, {}, 0
    kept: list[Mapping[str, np.ndarray]] = []
    drawing = seconds(lambda: run.write_samples(state, aside / "sample", look=kept.append))
    picture, judging = sum(path.stat().st_size for path in aside.iterdir()), {}
    for name, judge in run.judges.items():
        looking = 0.0
        with suppress(UserError):  # such as samples that are not finite, as an untrained model's may be
            looking = seconds(partial(judge.look, kept[-1]))
        judging[name] = (drawing + looking) * judge.count / run.sampling.n
    return drawing, judging, picture


def seconds(work: Callable[[], Any]) -> float:
    """How long work takes the second time: the first one compiles. Where it takes long, it is done once alone."""
    for _ in range(2):
        began = time.monotonic()
        work()
        took = time.monotonic() - began
        if took > LONG:
            break
    return took


def _time(run: Run, steps: int, tried: Tried) -> str:
    """The time of a step, and of the whole run."""
    evaluations, drawings = times(steps, run.evaluation.every), times(steps, run.sampling.every)
    budget = run.evaluation.budget
    parts = {f"{steps:,} steps": steps * tried.step, f"{evaluations:,} × evaluating": evaluations * tried.evaluation}
    for name, taken in tried.judging.items():
        often = times(steps, run.every(name))
        often = often if not budget or taken <= budget else min(often, 1)
        parts[f"{often:,} × {name}"] = often * taken
    if run.programs.method.sample is not None:
        parts[f"{drawings:,} × sampling"] = drawings * tried.drawing
    said = ", ".join(f"{name} {duration(value)}" for name, value in parts.items())
    return f"{tried.step * 1000:.3g} ms a step; about {duration(sum(parts.values()))} after compiling: {said}"


def times(steps: int, every: int) -> int:
    """How often something is done that is done every so many steps, and after the last one. every: 0 = then alone."""
    return 0 if not steps else -(-steps // every) if every else 1


# Disk


def _disk(run: Run, workdir: Workdir, steps: int, picture: int) -> str:
    """What the run's folder grows to. Raises ConfigError where that is more than is free."""
    one, most = checkpoint.size(run.programs.described), checkpoints(run, steps)
    trackers = 1 + bool(run.tracking.tensorboard)
    values = len(run.programs.described_sums["metrics"]) + len(run.config["optimizers"])
    lines = times(steps, run.pace.log_every) * (LINE + VALUE * values)
    pictures = times(steps, run.sampling.every) * picture * (1 + ("walk" in run.programs.method.parts))
    besides = trackers * (lines + pictures)
    there = sum(path.stat().st_size for path in workdir.checkpoints.rglob("*") if path.is_file())
    free = free_bytes(workdir.folder)
    said = f"{most} × {readable(one)} for checkpoints, {readable(besides)} besides"
    if free is None:
        return f"{said}, of an unknown amount"
    if most * one + besides > free + there:
        raise ConfigError(
            f"The run needs {said}, and {readable(free + there)} are free under {workdir.folder}, its own counted: "
            "make room, set a smaller checkpoint.keep_last, or choose another --workdir."
        )
    return f"{said}, of {readable(free + there)}"


def checkpoints(run: Run, steps: int) -> int:
    """How many checkpoints lie in the folder at most: those that are kept, and one that is being written."""
    settings = run.config["checkpoint"]
    kept = settings["keep_last"] + (settings["keep_best"] if settings["best"] else 0) + 1
    if settings["keep_every"]:
        kept += steps // settings["keep_every"]
    return kept if run.save_minutes else min(times(steps, run.save_every), kept)


def readable(count: float) -> str:
    """'12.3 MB'."""
    power = min(int(math.log10(max(count, 1))) // 3, len(UNITS) - 1)
    return f"{count / 1000**power:.3g} {UNITS[power]}"
