"""What is installed is named and hashed."""

import importlib.util
import re

import pytest
from support import ROOT

LOCKS = sorted((ROOT / "requirements").glob("lock-*.txt"))


def pinned(path):
    """Package -> (version, its hashes)."""
    found, name = {}, None
    for line in path.read_text("utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", line):
            name = match[1].lower().replace("_", "-")
            found[name] = match[2], []
        elif match := re.match(r"\s+--hash=sha256:([0-9a-f]{64})", line):
            found[name][1].append(match[1])
        else:
            assert not line.strip() or line.startswith("#"), f"{path.name}: {line}"
    return found


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_package_has_hashes_and_every_requirement_a_package(path):
    packages = pinned(path)
    assert all(hashes for _, hashes in packages.values())
    block = (ROOT / "setup.py").read_text("utf-8").split("install_requires=[")[1].split("],")[0]
    required = {name.lower().replace("_", "-") for name in re.findall(r'^\s+"([A-Za-z0-9_-]+)', block, re.MULTILINE)}
    assert len(required) > 10
    assert required <= set(packages)


def test_both_pythons_are_locked_and_one_agrees_with_what_is_tested():
    assert [path.name for path in LOCKS] == ["lock-3.11.txt", "lock-3.12.txt", "lock-cuda-3.12.txt"]
    tested = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)$", (ROOT / "requirements/constraints.txt").read_text(), re.M))
    for name, (version, _) in pinned(LOCKS[0]).items():
        assert tested.get(name, version) == version, name


def test_the_lock_for_gpus_is_the_plain_one_and_what_drives_them():
    plain, cuda = (pinned(ROOT / "requirements" / f"lock-{name}.txt") for name in ("3.12", "cuda-3.12"))
    assert plain.items() <= cuda.items(), "a model trains with the same versions on a CPU and a GPU"
    assert {"jax-cuda12-plugin", "jax-cuda12-pjrt"} <= set(cuda) - set(plain)
    assert all(name.startswith(("jax-cuda12-", "nvidia-")) for name in set(cuda) - set(plain))
    assert cuda["jax-cuda12-plugin"][0] == cuda["jaxlib"][0]


def test_make_lock_writes_every_lock():
    """A lock that nothing renews grows old beside the others."""
    written = re.findall(
        r"uv pip compile .* -o requirements/(\S+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(written) == [path.name for path in LOCKS]


def test_the_bill_of_materials_is_of_this_package_and_says_licences():
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "requirements" / "sbom.py")
    sbom = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sbom)

    def component(name, version, licence="MIT"):
        licences = [{"license": {"id": licence}}] if licence else []
        return {"bom-ref": f"{name}=={version}", "name": name, "version": version, "licenses": licences}

    own = {**component("aigc_jax", "0.1.0"), "externalReferences": [{"url": "file:///home/someone"}]}
    graph = [{"ref": "aigc_jax==0.1.0", "dependsOn": ["Flax==1.2"]}, {"ref": "Flax==1.2"}, {"ref": "pip==23.2"}]
    bill = {
        "bomFormat": "CycloneDX",
        "metadata": {"tools": {}},
        "components": [own, component("Flax", "1.2"), component("pip", "23.2")],
        "dependencies": graph,
    }
    lock = "# made\nflax==1.2 \\\n    --hash=sha256:00\n"
    made = sbom.rooted(bill, lock)
    assert made["metadata"]["component"]["name"] == "aigc_jax" and "someone" not in str(made)
    assert [part["name"] for part in made["components"]] == ["Flax"]
    assert made["dependencies"] == graph[:2]
    with pytest.raises(ValueError, match="not the lock file's.*flax"):
        sbom.rooted(bill, lock.replace("1.2", "1.3"))
    bill["components"][1] = component("Flax", "1.2", licence=None)
    with pytest.raises(ValueError, match="no licence: Flax"):
        sbom.rooted(bill, lock)
