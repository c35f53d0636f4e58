"""Checks whether a network fits its inputs. Each raises errors.Unfit with the remedy."""

from collections.abc import Sequence

from aigc_jax.errors import Unfit


def check_divides(field: str, value: int, of: str, whole: int) -> None:
    """Whether a number of equal parts divides a width. of: what it is the width of, for the message."""
    if whole % value:
        divisors = ", ".join(str(n) for n in range(1, whole + 1) if whole % n == 0)
        raise Unfit(field, value, f"has to divide {of}, {whole}: one of {divisors}")


def check_halvings(field: str, value: object, image_shape: Sequence[int], halvings: int) -> None:
    """Whether images [H, W, C] can be halved so often. field, value: that ask for it."""
    height, width, _ = image_shape
    scale = 2**halvings
    if not height % scale and not width % scale:
        return
    often = next(n for n in range(halvings, -1, -1) if height % 2**n == width % 2**n == 0)
    sides = sorted({max(side // scale, 1) * scale for side in (height, width)})
    sides = sorted({*sides, *(-(-side // scale) * scale for side in (height, width))})
    raise Unfit(
        field,
        value,
        f"halves images {halvings} times, where those of {height} × {width} can be halved {often} times: shorten "
        f"it, or take images whose sides are multiples of {scale}, such as {' or '.join(map(str, sides))} "
        "(data.image_size, or data.pad, where the data set has it)",
    )


def check_shape(field: str, value: Sequence[int], shape: Sequence[int]) -> None:
    """Whether inputs have the shape that a network is for, without their leading axis."""
    if tuple(value) != tuple(shape):
        raise Unfit(field, tuple(value), f"the inputs are of the shape {tuple(shape)}")
