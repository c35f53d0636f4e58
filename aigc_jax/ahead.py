"""Compiled programs, read from jax's cache while they are still being traced.

Which entry of its cache a program is, jax knows when that is traced and lowered, which takes as long as reading it.
What the last start of a configuration read, the next one most likely reads too: that is noted, and read in a thread
from the first moment on. Jax is given it only when it asks for the same key, which stands for all that is compiled,
and how; a note that is wrong costs time alone.

Jax has no public way in: this file alone reaches for modules that are not. Where a version has other functions than
these, nothing is read ahead. What is public, `jax.experimental.serialize_executable`, would take a second cache, with
keys of our own for all that jax's stand for.
"""

import base64
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax

from aigc_jax import places

FOLDER = "jax_compilation_cache_dir"  # jax's setting
READING, COMPILING = 1.0, 5.0  # seconds from which a program is worth a note, when it was read or compiled


def read_ahead(config: Mapping[str, Any], mode: str) -> None:
    """Begins to read what the last start with this configuration, mode and version of jax read or compiled.

    Does nothing without a cache, and where several processes compile together.
    """
    folder = places.cache("ahead")
    if folder is None or jax.process_count() > 1:
        return
    of = json.dumps([dict(config), mode, jax.__version__, str(jax.devices())], sort_keys=True, default=str)
    note = folder / f"{hashlib.sha256(of.encode()).hexdigest()[:32]}.json"
    try:
        from jax._src import compilation_cache
        from jax._src.lib import xla_client

        ahead = Ahead(note, compilation_cache, xla_client)
    except (ImportError, AttributeError):
        return
    ahead.begin()


class Ahead:
    """What is being read, and the note for the next start. cache, client: jax's modules of these names."""

    def __init__(self, note: Path, cache: Any, client: Any):
        self._note, self._cache, self._client = note, cache, client
        self._read, self._write = cache.get_executable_and_time, cache.put_executable_and_time
        self._reading: dict[str, Future] = {}
        self._asked: dict[str, tuple[Any, Any]] = {}  # key -> options and devices, of which a note would be made
        self._noted: dict[str, dict[str, Any]] = {}

    def begin(self) -> None:
        """Stands between jax and its cache from now on, and starts reading."""
        last = self._last()
        futures: dict[str, Future] = {key: Future() for key in last}
        self._reading = dict(futures)

        def read_all() -> None:  # one after the other, for tracing needs a core too
            for key, future in futures.items():
                future.set_result(self._early(key, last[key]))

        threading.Thread(target=read_all, name="ahead").start()
        self._cache.get_executable_and_time, self._cache.put_executable_and_time = self.get, self.put

    def get(self, key: str, options: Any, backend: Any, devices: Any, *rest: Any) -> tuple[Any, Any]:
        """As jax's: (the program, the seconds that compiling it took), or (None, None)."""
        self._asked[key] = options, devices
        if key in self._reading and not any(rest):  # rest: callbacks, which are no part of the note
            found = self._reading.pop(key).result()
            if found[0] is not None:
                self._worth(key)
                return found
        began = time.perf_counter()
        with self._without_damage(key):
            found = self._read(key, options, backend, devices, *rest)
        if found[0] is not None and time.perf_counter() - began > READING:
            self._worth(key)
        return found

    def put(self, key: str, name: str, program: Any, backend: Any, seconds: int) -> None:
        """As jax's."""
        with self._without_damage(key):
            self._write(key, name, program, backend, seconds)
        if seconds > COMPILING:
            self._worth(key)

    @contextmanager
    def _without_damage(self, key: str) -> Iterator[None]:
        """Removes an entry that a full disk or a kill cut short: jax never writes over one that is there."""
        try:
            yield
        except Exception:
            if folder := getattr(jax.config, FOLDER):
                with suppress(OSError):
                    Path(folder, f"{key}-cache").unlink()
            raise

    def _early(self, key: str, how: Mapping[str, Any]) -> tuple[Any, Any]:
        try:
            options = self._client.CompileOptions.ParseFromString(base64.b64decode(how["options"]))
            of_id = {device.id: device for device in jax.devices()}
            devices = self._client.DeviceList(tuple(of_id[number] for number in how["devices"]))
            return self._read(key, options, jax.local_devices()[0].client, devices)
        except Exception:  # whatever is wrong with the note or the entry, jax finds by itself
            return None, None

    def _last(self) -> dict[str, dict[str, Any]]:
        try:
            noted = json.loads(self._note.read_text("utf-8"))
            return {str(key): dict(how) for key, how in noted.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _worth(self, key: str) -> None:
        """Notes this program beside those that this start has noted already."""
        options, devices = self._asked[key]
        self._noted[key] = {
            "options": base64.b64encode(options.SerializeAsString()).decode(),
            "devices": [device.id for device in devices],
        }
        part = self._note.with_suffix(f".{os.getpid()}.part")  # two runs may begin at once
        try:
            part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_text(json.dumps(self._noted), "utf-8")
            part.replace(self._note)
        except OSError:
            return  # a note is never worth an error
