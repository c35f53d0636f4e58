"""Makes the bill of materials of an environment that of this package: `make sbom`.

    cyclonedx-py environment … | python requirements/sbom.py requirements/lock-3.12.txt > sbom.json

The package itself is the root, and what the lock names is what it is made of; pip and the like are left out.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = "aigc_jax"


def rooted(bill: dict[str, Any], lock: str) -> dict[str, Any]:
    """A CycloneDX document of an environment into which the package and what its lock file names are installed.

    lock: text of that file. Raises ValueError where the two do not agree, and for a component without a licence.
    """
    locked = {_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock, re.MULTILINE)}
    found = {_name(component["name"]): component for component in bill["components"]}
    root = found.pop(_name(ROOT))
    root.pop("externalReferences", None)  # the folder of the machine on which it was installed
    parts = {name: component for name, component in found.items() if name in locked}
    versions = {name: component["version"] for name, component in parts.items()}
    if versions != locked:
        raise ValueError(f"The environment is not the lock file's: {dict(versions.items() ^ locked.items())}")
    if bare := [component["name"] for component in (root, *parts.values()) if not component.get("licenses")]:
        raise ValueError(f"These have no licence: {', '.join(bare)}")
    kept = {component["bom-ref"] for component in (root, *parts.values())}
    graph = [entry for entry in bill["dependencies"] if entry["ref"] in kept]
    return {
        **bill,
        "metadata": {**bill["metadata"], "component": root},
        "components": [parts[name] for name in sorted(parts)],
        "dependencies": graph,
    }


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    print(json.dumps(rooted(json.load(sys.stdin), Path(sys.argv[1]).read_text("utf-8")), indent=1))
