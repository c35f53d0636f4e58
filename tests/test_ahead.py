"""Programs are read before they are asked for, used when the key is theirs, and a wrong note harms nothing."""

import errno
import json
import os
import warnings

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache as public

from aigc_jax import ahead, places

NAMES = "get_executable_and_time", "put_executable_and_time"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A function: forgets all programs and begins as a new process does; (it, keys in the order read, the note)."""
    from jax._src import compilation_cache
    from jax._src.lib import xla_client

    settings = {
        "jax_compilation_cache_dir": str(tmp_path / "programs"),
        "jax_persistent_cache_min_compile_time_secs": 0,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    public.reset_cache()
    monkeypatch.setattr(ahead, "READING", -1)
    monkeypatch.setattr(ahead, "COMPILING", -1)
    jaxs = {name: getattr(compilation_cache, name) for name in NAMES}
    read = []

    def counted(key, *rest):
        read.append(key)
        return jaxs[NAMES[0]](key, *rest)

    def begin(note=tmp_path / "ahead" / "note.json"):
        jax.clear_caches()
        monkeypatch.setattr(compilation_cache, NAMES[0], counted)
        monkeypatch.setattr(compilation_cache, NAMES[1], jaxs[NAMES[1]])
        del read[:]
        begun = ahead.Ahead(note, compilation_cache, xla_client)
        begun.begin()
        return begun, read, note

    yield begin
    for name, value in before.items():
        jax.config.update(name, value)
    public.reset_cache()


def doubled(x):
    return 2 * x + jnp.sin(x)


def run(function, value=1.0):
    return float(jax.jit(function)(jnp.float32(value)))


def settled(begun):
    """Until everything that the note names is read."""
    for future in list(begun._reading.values()):
        future.result(timeout=60)


def test_what_was_compiled_is_read_ahead_in_the_next_start_and_used(start):
    _, _, note = start()
    expected = run(doubled)
    noted = list(json.loads(note.read_text()))
    assert any("doubled" in key for key in noted)
    begun, read, _ = start()
    settled(begun)
    assert sorted(read) == sorted(noted)  # before anything was asked for
    assert run(doubled) == expected
    assert sorted(read) == sorted(noted) and not [key for key in begun._reading if "doubled" in key]
    assert any("doubled" in key for key in json.loads(note.read_text()))  # for the start after that


def test_another_program_is_not_taken_for_the_noted_one(start):
    start()
    run(doubled)

    def other(x):
        return 3 * x

    other.__name__ = doubled.__name__  # the same name, which begins the key
    begun, _, _ = start()
    settled(begun)
    assert run(other, 2.0) == 6.0


@pytest.mark.parametrize(
    "said",
    [
        "", "[]", "{]", '{"jit_doubled-1": 3}', '{"jit_doubled-1": {"options": "AA", "devices": [0]}}',
        '{"jit_doubled-1": {"options": "", "devices": [900]}}',
    ],
)  # fmt: skip
def test_a_wrong_note_is_no_error(start, tmp_path, said):
    note = tmp_path / "wrong.json"
    note.write_text(said)
    begun, _, _ = start(note)
    settled(begun)
    assert run(doubled) == pytest.approx(2 + jnp.sin(1.0))


def test_an_entry_that_is_gone_or_damaged_is_compiled_again(start, tmp_path):
    start()
    expected = run(doubled)
    for path in (tmp_path / "programs").iterdir():
        if path.name.startswith("jit_doubled"):
            path.write_bytes(b"no program")
    begun, _, _ = start()
    settled(begun)
    with pytest.warns(UserWarning, match="Error reading persistent compilation cache entry"):
        assert run(doubled) == expected
    begun, _, _ = start()
    settled(begun)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(doubled) == expected, "jax wrote it anew where the damaged one was removed"


def test_an_entry_that_a_full_disk_cuts_short_is_removed(start, tmp_path):
    begun, _, _ = start()
    write, folder = begun._write, tmp_path / "programs"

    def cut_short(key, *rest):
        write(key, *rest)
        path = folder / f"{key}-cache"
        path.write_bytes(path.read_bytes()[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    begun._write = cut_short
    with pytest.warns(UserWarning, match="Error writing persistent compilation cache entry"):
        expected = run(doubled)
    assert not list(folder.glob("jit_doubled*"))
    start()
    assert run(doubled) == expected
    assert list(folder.glob("jit_doubled*"))


def test_a_quick_program_is_worth_no_note(start, monkeypatch):
    _, _, note = start()
    monkeypatch.setattr(ahead, "READING", 60)
    monkeypatch.setattr(ahead, "COMPILING", 60)
    run(doubled)
    assert not note.exists()


def test_a_note_that_cannot_be_written_is_no_error(start, tmp_path):
    (tmp_path / "file").write_text("")
    start(tmp_path / "file" / "note.json")
    assert run(doubled) == pytest.approx(2 + jnp.sin(1.0))


def test_each_configuration_and_mode_has_a_note_of_its_own_and_no_cache_none(monkeypatch, tmp_path):
    begun = []

    class Noted(ahead.Ahead):
        def begin(self):
            begun.append(self._note)

    monkeypatch.setattr(ahead, "Ahead", Noted)
    monkeypatch.setenv(places.CACHE, str(tmp_path))
    for config, mode in (
        ({"seed": 0}, "train"),
        ({"seed": 1}, "train"),
        ({"seed": 0}, "sample"),
        ({"seed": 0}, "train"),
    ):
        ahead.read_ahead(config, mode)
    assert len(set(begun)) == 3 and begun[0] == begun[3] and begun[0].is_relative_to(tmp_path)
    monkeypatch.setenv(places.CACHE, "")
    ahead.read_ahead({"seed": 0}, "train")
    monkeypatch.setenv(places.CACHE, str(tmp_path))
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    ahead.read_ahead({"seed": 0}, "train")
    assert len(begun) == 4


def test_where_jax_has_other_functions_nothing_is_read_ahead(monkeypatch, tmp_path):
    from jax._src import compilation_cache

    monkeypatch.setenv(places.CACHE, str(tmp_path))
    monkeypatch.delattr(compilation_cache, NAMES[1])
    read = compilation_cache.get_executable_and_time
    ahead.read_ahead({"seed": 0}, "train")
    assert compilation_cache.get_executable_and_time is read
