"""python -m benchmarks.scale [state] [collectives] [roofline]: counts and predictions, without accelerators.

Writes benchmarks/results/scale.json, of which only the parts that are named change, and prints its page.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import jax

PARTS = ("state", "collectives", "roofline")
RESULTS = Path(__file__).parent.parent / "results" / "scale.json"


def main() -> None:
    """Reads the arguments, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=PARTS, help=" ".join(PARTS))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}: choose of {', '.join(PARTS)}")
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 8)
    from benchmarks.scale import collectives, page, roofline, standins, state

    results = json.loads(options.results.read_text("utf-8")) if options.results.exists() else {}
    kept = sorted(set(PARTS) & results.keys() - set(options.parts))
    if kept and results["jax"] != jax.__version__:
        parser.error(f"name {', '.join(kept)} too: they are of jax {results['jax']}, and this is {jax.__version__}")
    results |= {
        "jax": jax.__version__,
        "device": f"8 virtual devices of {os.cpu_count()} CPU cores; no accelerator",
        "command": "python -m benchmarks.scale",
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "state" in options.parts:
            results["state"] = state.measure(standins.CONFIGS, folder)
        if "collectives" in options.parts:
            results["collectives"] = collectives.measure(folder)
        if "roofline" in options.parts:
            results["roofline"] = roofline.measure(standins.CONFIGS, folder)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    sys.stdout.write(page.page(results))


if __name__ == "__main__":
    main()
