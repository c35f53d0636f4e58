"""Eight virtual devices, a cache of compiled programs, and a folder of prepared data for all tests; `--family`."""

import gc
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

SCRATCH = Path(os.environ.get("AIGC_JAX_TEST_DIR", Path(tempfile.gettempdir()) / f"aigc_jax_tests_{os.getuid()}"))
SCRATCH.mkdir(mode=0o700, parents=True, exist_ok=True)
os.environ.setdefault("TFDS_DATA_DIR", str(SCRATCH / "data"))
# Compiling is most of the suite's time: half of it goes with the optimizations of XLA's back end.
# Eight devices on two busy cores may wait for each other for longer than the 40 s after which XLA aborts the process.
# And for ever, where a device's operations share threads: each may begin another of two collective operations first.
# The older emitters of fused operations compile a third faster; a later XLA has none, and ends at the flag.
OLDER_EMITTERS = ["--xla_cpu_use_fusion_emitters=false"] if version("jaxlib").startswith("0.10.") else []
os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_backend_optimization_level=0",
        "--xla_cpu_collective_call_terminate_timeout_seconds=300",
        "--xla_cpu_multi_thread_eigen=false",
        *OLDER_EMITTERS,
    ]
)
os.environ.setdefault("AIGC_JAX_CACHE", str(SCRATCH / "cache"))
# A worker for each core: two threads of one spin while they wait for the other's, and measures took twice as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
gc.set_threshold(50_000)  # as main.py's: tracing makes many objects, and all stay

from typing import Any  # noqa: E402

import jax  # noqa: E402 - the environment comes first
import parts  # noqa: E402
import pytest  # noqa: E402
import support  # noqa: E402
from family import Selection, mistake  # noqa: E402

jax.config.update("jax_platforms", os.environ.get("JAX_PLATFORMS") or "cpu")
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_compilation_cache_dir", str(Path(os.environ["AIGC_JAX_CACHE"]) / "programs"))  # as main.py's
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--family", metavar="NAME", help="only the tests that this generative family can break")


def pytest_configure(config: pytest.Config) -> None:
    family = config.getoption("family")
    if family and (wrong := mistake(family)):
        raise pytest.UsageError(wrong)


@pytest.hookimpl(tryfirst=True)  # before -m reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what `--family` does, and keeps together what shares programs and folders: a file's tests.

    Tests of a folder that is a longer part have its mark.
    """
    for item in items:
        if part := parts.of_folder(item.path):
            item.add_marker(pytest.mark.long(part=part))
    family = config.getoption("family")
    if family:
        selection = Selection(family)
        taken = {item: selection.takes(item) for item in items}
        config.hook.pytest_deselected(items=[item for item in items if not taken[item]])
        items[:] = [item for item in items if taken[item]]
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(config.rootpath))))


MAPS, EVERY = 25_000, 20  # of 65,530 that Linux allows a process by default; tests between two looks
taken = 0


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Gives compiled programs back before a worker runs out of maps of memory, of which each has several.

    Beyond the limit a compiler cannot have memory for one more program, and the process ends.
    """
    global taken
    taken += 1
    maps = Path("/proc/self/maps")
    if taken % EVERY or not maps.is_file() or maps.read_bytes().count(b"\n") < MAPS:
        return
    jax.clear_caches()
    gc.collect()


@pytest.fixture(scope="session")
def on_small_data() -> Any:
    """A function: configuration -> the same on small files of the same shapes, made here."""
    return support.on_small_data
