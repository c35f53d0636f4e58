"""A process begins again with another allocator where one is installed, and once."""

import os
import subprocess
import sys

import pytest
from support import ROOT

from aigc_jax import allocator

ABSENT, PRESENT = "libnot_there.so.4", "libm.so.6"  # the latter is wherever glibc is
SCRIPT = """
import os, sys
from aigc_jax import allocator
exec(os.environ.get("RUN", ""))
print("begun", flush=True)
allocator.LIBRARIES = %r
allocator.prefer_tcmalloc()
print(os.environ.get("LD_PRELOAD"), *sys.argv[1:])
"""
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD is Linux's")


def lines(libraries, **environment):
    env = {name: value for name, value in os.environ.items() if name != allocator.PRELOAD}
    command = [sys.executable, "-c", SCRIPT % (libraries,), "--first", "second word"]
    done = subprocess.run(command, cwd=ROOT, env={**env, **environment}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.splitlines()


@linux
def test_the_first_library_that_is_installed_is_loaded_and_arguments_stay():
    assert lines((ABSENT, PRESENT)) == ["begun", "begun", f"{PRESENT} --first second word"]


def test_nothing_happens_without_any():
    assert lines((ABSENT,)) == ["begun", "None --first second word"]


@pytest.mark.parametrize("chosen", ["", "libdl.so.2"])
def test_who_has_chosen_keeps_the_choice(chosen):
    assert lines((PRESENT,), LD_PRELOAD=chosen) == ["begun", f"{chosen} --first second word"]


@linux
def test_main_asks_for_it_before_it_imports_what_takes_long():
    script = """
import os, runpy, sys
from aigc_jax import allocator
allocator.installed = lambda: "libtcmalloc.so"
os.execve = lambda python, arguments, environment: sys.exit(f"{environment['LD_PRELOAD']} {'absl' in sys.modules}")
runpy.run_path("main.py", run_name="__main__")
"""
    env = {name: value for name, value in os.environ.items() if name != allocator.PRELOAD}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "libtcmalloc.so False"


@pytest.mark.parametrize("executable", ["", "/no/python"])
def test_an_interpreter_that_cannot_be_begun_again_goes_on(executable):
    assert lines((PRESENT,), RUN=f"sys.executable = {executable!r}") == ["begun", "None --first second word"]
