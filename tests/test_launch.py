"""Launchers, as far as they go without a cluster: what they start, and what they do when it ends.

SLURM itself is started by the drill `preemptions` of `make soak`.
"""

import json
import os
import re
import subprocess
import sys

import kubernetes_validate
import pytest
import yaml
from support import ROOT

MANIFEST = yaml.safe_load((ROOT / "launch" / "kubernetes.yaml").read_text("utf-8"))
IMAGE = (ROOT / "launch" / "Dockerfile").read_text("utf-8")
ODD = ["--config=a b.py", "--config.data.augment=('flip', 'shift')", '--workdir=/x/$HOME `id` "q"', "--config.x=*"]


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n", "utf-8")
    path.chmod(0o755)


def launch(name, arguments, folder, **environment):
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", ROOT / "launch" / name, *arguments],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_tpu_workers_get_the_flags_as_they_were_given(tmp_path):
    echo = f"exec {sys.executable} -c 'import json, sys; print(json.dumps(sys.argv[1:]))' \"$@\""
    script(tmp_path / "my folder" / ".venv" / "bin" / "python", echo)
    script(tmp_path / "my folder" / "launch" / "tcmalloc.sh", (ROOT / "launch" / "tcmalloc.sh").read_text("utf-8"))
    # The last argument is --command=…, which a worker's shell runs in the home folder.
    script(tmp_path / "gcloud", f'echo "$@" >&2; last="${{@: -1}}"; cd {tmp_path} && bash -c "${{last#--command=}}"')
    found = launch("tpu_vm.sh", ["my-tpu", "us-central2-b", *ODD], tmp_path, FOLDER="my folder")
    assert json.loads(found.stdout) == ["main.py", "--distributed", *ODD]
    assert "compute tpus tpu-vm ssh my-tpu --zone=us-central2-b --worker=all" in found.stderr
    assert launch("tpu_vm.sh", ["--config=x"], tmp_path).returncode == 2


@pytest.mark.parametrize(("code", "queued"), [(0, False), (1, False), (2, False), (143, True)])
def test_a_slurm_job_that_was_asked_to_stop_is_queued_again(tmp_path, code, queued):
    script(tmp_path / "srun", f'printf "%s\\n" "$@"; exit {code}')
    script(tmp_path / "scontrol", 'echo "scontrol $@"')
    environment = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_ID": "17", "PYTHON": "python3"}
    found = launch("slurm.sbatch", ODD, tmp_path, **environment)
    assert found.returncode == code
    assert ("scontrol requeue 17" in found.stdout) == queued
    lines = found.stdout.splitlines()
    started = ["launch/tcmalloc.sh", "python3", "main.py", "--distributed", *ODD]
    assert lines[: 1 + len(started)] == ["--kill-on-bad-exit=1", *started]


def preloaded(folder, **environment):
    """What `tcmalloc.sh` preloads, and the words of the command that it runs."""
    env = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    script = (ROOT / "launch" / "tcmalloc.sh").read_text("utf-8").replace("libtcmalloc_minimal.so.4", "libm.so.6")
    (folder / "tcmalloc.sh").write_text(script, "utf-8")
    words = ["bash", folder / "tcmalloc.sh", "bash", "-c", 'echo "${LD_PRELOAD-none}" "$@"', "_", "--first", "a  b"]
    done = subprocess.run(words, env={**env, **environment}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr
    return done.stdout.rstrip("\n")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD is Linux's")
def test_an_allocator_that_is_installed_is_preloaded_but_not_over_a_choice(tmp_path):
    """libm stands for it: that is wherever glibc is."""
    assert preloaded(tmp_path) == "libm.so.6 --first a  b"
    assert [preloaded(tmp_path, LD_PRELOAD=chosen) for chosen in ("", "libdl.so.2")] == [
        " --first a  b",
        "libdl.so.2 --first a  b",
    ]


def test_the_jobset_is_a_job_as_kubernetes_knows_it():
    (job,) = MANIFEST["spec"]["replicatedJobs"]
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": job["template"]["spec"]}
    kubernetes_validate.validate(body, "1.33", strict=True)
    body["spec"]["paralelism"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(body, "1.33", strict=True)


def test_the_jobset_tells_each_process_who_it_is():
    name, (job,) = MANIFEST["metadata"]["name"], MANIFEST["spec"]["replicatedJobs"]
    spec = job["template"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    environment = {entry["name"]: entry for entry in container["env"]}
    assert spec["parallelism"] == spec["completions"] == int(environment["JAX_NUM_PROCESSES"]["value"])
    host, _, port = environment["JAX_COORDINATOR_ADDRESS"]["value"].partition(":")
    assert host == f"{name}-{job['name']}-0-0.{name}" and port.isdecimal()
    assert "job-completion-index" in environment["JAX_PROCESS_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
    read = set(re.findall(r'environ(?:\.get\(|\[)"(JAX_\w+)"', (ROOT / "aigc_jax" / "command.py").read_text("utf-8")))
    assert read - {"JAX_PLATFORMS"} == {variable for variable in environment if variable.startswith("JAX_")}
    (config, *flags) = container["args"]
    assert (ROOT / config.removeprefix("--config=")).is_file()
    known = re.findall(r"flags\.DEFINE_\w+\(\"(\w+)\"", (ROOT / "aigc_jax" / "command.py").read_text("utf-8"))
    assert {flag.removeprefix("--").partition("=")[0] for flag in flags} <= set(known)
    assert spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["containerName"] == container["name"]


def test_the_image_runs_main():
    assert json.loads(re.search(r"^ENTRYPOINT (.*)$", IMAGE, re.MULTILINE).group(1)) == ["python", "main.py"]
    (lock,) = re.findall(r"^ARG LOCK=(\S+)$", IMAGE, re.MULTILINE)
    for name in [lock, *re.findall(r"\block-[\w.-]+\d\b", IMAGE)]:
        assert (ROOT / "requirements" / f"{name}.txt").is_file(), name


def test_the_image_is_made_of_what_is_named_and_hashed():
    (base,) = re.findall(r"^ARG BASE=(\S+)$", IMAGE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.12\S*@sha256:[0-9a-f]{64}", base) and "\nFROM ${BASE}\n" in IMAGE
    installs = re.findall(r"pip install .*", IMAGE)
    assert installs and all("--require-hashes" in line for line in installs)
    steps = re.findall(r"^(?:RUN pip install|COPY \.|USER|ENTRYPOINT)", IMAGE, re.MULTILINE)
    assert steps == ["RUN pip install", "COPY .", "USER", "ENTRYPOINT"], "packages come before what changes often"
    (user,) = re.findall(r"^USER (\d+):\d+$", IMAGE, re.MULTILINE)
    assert int(user) > 0


def test_the_image_leaves_out_what_git_does():
    """A work directory or an environment of the checkout would make it gigabytes large, and new each time."""
    ignored = set((ROOT / ".dockerignore").read_text("utf-8").split())
    for line in (ROOT / ".gitignore").read_text("utf-8").split():
        name = line.rstrip("/")
        if not line.startswith("!"):
            assert {name, f"**/{name}"} & ignored or (re.fullmatch(r"\..*_cache", name) and ".*_cache" in ignored), line
    assert ".git" in ignored


def test_pods_may_do_no_more_than_they_need():
    """As the pod security standard "restricted" asks for."""
    (job,) = MANIFEST["spec"]["replicatedJobs"]
    pod = job["template"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (
        pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    )
    (user,) = re.findall(r"^USER (\d+):\d+$", IMAGE, re.MULTILINE)
    assert pod["securityContext"]["runAsUser"] == int(user)
    asked = container["securityContext"]
    assert asked["capabilities"] == {"drop": ["ALL"]} and asked["allowPrivilegeEscalation"] is False
    assert asked["readOnlyRootFilesystem"], "then what is written has a volume:"
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert {"/runs", "/tmp"} <= set(mounted)
    assert set(mounted.values()) == {volume["name"] for volume in pod["volumes"]}
    written = re.findall(r"=(/\w+)", re.search(r"^ENV AIGC_JAX_CACHE.*$", IMAGE, re.MULTILINE).group())
    flags = [flag.partition("=")[2] for flag in container["args"] if "=/" in flag]
    for path in [*written, *flags]:
        assert any(path.startswith(mount) for mount in mounted), path
    assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"]
    assert re.search(r":(?!latest)[\w.]+$", container["image"]), "a tag that stays what it is"
