"""How long Inception's features of many images take, and how much memory: ours beside torch-fidelity's.

    python benchmarks/features.py [--images=10000] [--side=32] [--chunk=256] [--rounds=10] [--cores=2]

Both networks have random weights. Each runs in a process of its own, on the same cores, and they take turns over
chunks of images, so that both meet what else the machine does; the one that waits is idle. What is printed is images a
second (the median over the chunks, of which the first is left out), the time that --images take at that rate, and the
most memory that each process held. Needs requirements/parity.txt.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from unittest import mock

import numpy as np

Score = Callable[[np.ndarray], np.ndarray]
"""Images uint8 [N, H, W, 3] -> features [N, 2048]."""


def ours() -> Score:
    """aigc_jax."""
    import jax

    from aigc_jax.metrics.features.extractor import Extractor
    from aigc_jax.metrics.features.inception import SIDE, Inception, answers

    weights = jax.jit(Inception().init)(jax.random.key(0), np.zeros((1, SIDE, SIDE, 3), np.float32))
    using = Extractor("inception", "", None, "", answers, weights)
    return lambda images: using(images).features


def theirs() -> Score:
    """torch-fidelity, in batches of the size that it has by default."""
    import torch
    from torch_fidelity import feature_extractor_inceptionv3 as peer
    from torch_fidelity.defaults import DEFAULTS

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = peer.FeatureExtractorInceptionV3
    with mock.patch.object(peer, "load_state_dict_from_url"), mock.patch.object(network, "load_state_dict"):
        extractor = network("inception", ["2048", "logits_unbiased"])

    def score(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            batches = torch.from_numpy(images.transpose(0, 3, 1, 2)).split(DEFAULTS["batch_size"])
            return torch.cat([extractor(batch)[0] for batch in batches]).numpy()

    return score


SIDES = {"aigc_jax": ours, "torch-fidelity": theirs}


def work(name: str, chunk: int, side: int) -> None:
    """Scores a chunk for each line that comes in, and answers with its seconds and the memory held so far, in MiB."""
    score = SIDES[name]()
    images = np.random.RandomState(0).randint(0, 256, (chunk, side, side, 3), np.uint8)
    for _ in sys.stdin:
        began = time.perf_counter()
        assert score(images).shape == (chunk, 2048)
        seconds = time.perf_counter() - began
        print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


def main() -> None:
    """Reads the arguments and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000, help="that the time is given for")
    parser.add_argument("--side", type=int, default=32, help="of the images, in pixels")
    parser.add_argument("--chunk", type=int, default=256, help="images between turns")
    parser.add_argument("--rounds", type=int, default=10, help="chunks that are measured, of each")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--work", choices=SIDES, help=argparse.SUPPRESS)  # this process is one of the two
    arguments = parser.parse_args()
    if arguments.work:
        return work(arguments.work, arguments.chunk, arguments.side)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
    processes = {
        name: subprocess.Popen(
            [sys.executable, __file__, *sys.argv[1:], f"--work={name}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in SIDES
    }  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    memory = dict.fromkeys(SIDES, 0.0)
    for _ in range(arguments.rounds + 1):
        for name, process in processes.items():
            print("go", file=process.stdin, flush=True)
            spent, memory[name] = map(float, process.stdout.readline().split())
            seconds[name].append(spent)
    for process in processes.values():
        process.stdin.close()
        process.wait()
    rates = {name: arguments.chunk / float(np.median(spent[1:])) for name, spent in seconds.items()}
    print(f"{arguments.rounds} chunks of {arguments.chunk} images of {arguments.side} × {arguments.side}, "
          f"{arguments.cores} cores")  # fmt: skip
    for name, rate in rates.items():
        low, high = (arguments.chunk / edge for edge in (max(seconds[name][1:]), min(seconds[name][1:])))
        print(f"{name:<15} {rate:7.2f} images/s ({low:.2f} … {high:.2f})  {arguments.images:,} images: "
              f"{arguments.images / rate:,.0f} s  first chunk {seconds[name][0]:.1f} s  "
              f"{memory[name]:,.0f} MiB")  # fmt: skip
    first, second = rates
    print(f"{first} / {second}: {rates[first] / rates[second]:.2f} of the rate, "
          f"{memory[first] / memory[second]:.2f} of the memory")  # fmt: skip


if __name__ == "__main__":
    main()
