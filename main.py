"""Train, evaluate and sample any configuration.

python main.py --config=configs/ddpm_cifar.py --workdir=runs/cifar --config.train.steps=1000
"""

from aigc_jax.__main__ import BEGAN, process


def main(argv: list[str]) -> None:
    """Does what the command line asks for. Raises UserError."""
    from aigc_jax import modes

    modes.run(argv, BEGAN)


if __name__ == "__main__":
    process(main)
