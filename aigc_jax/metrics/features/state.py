"""Reads PyTorch's files of weights, state dictionaries name -> tensor, without PyTorch.

Such a file holds a pickle, which may make its reader call any function. Here nothing is unpickled. The few operations
of a state dictionary are interpreted, any other operation or name is refused, and sizes are checked against the file.
"""

import io
import math
import pickletools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np

from aigc_jax.errors import UserError

MAGIC = 0x1950A86A20F9469CFC6C  # PyTorch's: the first pickle of a file that is no zip archive
DTYPES = {
    "torch DoubleStorage": "<f8",
    "torch FloatStorage": "<f4",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ShortStorage": "<i2",
    "torch CharStorage": "<i1",
    "torch ByteStorage": "<u1",
    "torch BoolStorage": "?",
}
MARK = object()
CONSTANTS = {"MARK": MARK, "NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"),
}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Refused(Exception):
    """Something in a file that is not part of a state dictionary."""


FAULTS = (
    *(Refused, ValueError, TypeError, LookupError, AttributeError),
    *(ArithmeticError, RuntimeError, EOFError, BadZipFile),
)  # of a file that is read as what it is not


class Name(NamedTuple):
    """A name that a pickle gives, "package.module thing"."""

    text: str


class Storage(NamedTuple):
    """Numbers, one after the other, that lie elsewhere in the file."""

    dtype: str
    key: str
    size: int


class Tensor(NamedTuple):
    """A view of a storage. offset, strides: in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _ordered(*entries: Any) -> dict[str, Any]:
    (pairs,) = entries or ((),)
    return {_text(name): value for name, value in pairs}


CALLED: Mapping[str, Callable[..., Any]] = {
    "collections OrderedDict": _ordered,
    "torch._utils _rebuild_tensor": Tensor,
    "torch._utils _rebuild_tensor_v2": lambda storage, offset, shape, strides, *_: Tensor(
        storage, offset, shape, strides
    ),
    "torch._utils _rebuild_parameter": lambda tensor, *_: tensor,
}
"""What a pickle of a state dictionary calls, by name, and what is done instead."""


def load(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a state dictionary that `torch.save` wrote, in either of its formats. They share memory.

    Nothing in the file is executed. Raises UserError for any other file, and for a damaged one.
    """
    content = path.read_bytes()
    stream = io.BytesIO(content)
    try:
        found, storage = (_zipped if content[:2] == b"PK" else _plain)(stream, content)
        return {_text(name): _array(value, storage) for name, value in found.items()}
    except FAULTS as error:
        raise UserError(f"{path} is no state dictionary of PyTorch, or it is damaged: {error}") from error


Storages = Callable[[Storage], np.ndarray]


def _zipped(stream: io.BytesIO, content: bytes) -> tuple[Any, Storages]:
    """The format since PyTorch 1.6: an archive with the pickle, and a member for each storage, none compressed."""
    archive = ZipFile(stream)
    members = archive.infolist()
    if any(m.compress_type != ZIP_STORED for m in members) or sum(m.file_size for m in members) > len(content):
        raise Refused("its archive would grow on being read")
    (top,) = (name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl"))
    order = f"{top}byteorder"
    if order in archive.namelist() and archive.read(order).strip() != b"little":
        raise Refused("its numbers are big-endian")

    def storage(asked: Storage) -> np.ndarray:
        return np.frombuffer(archive.read(f"{top}data/{asked.key}"), asked.dtype, asked.size)

    return followed(io.BytesIO(archive.read(f"{top}data.pkl"))), storage


def _plain(stream: io.BytesIO, content: bytes) -> tuple[Any, Storages]:
    """The format before: pickles one after the other, then the storages, each after its count as 8 bytes."""
    if followed(stream) != MAGIC:
        raise Refused("it does not begin as such files do")
    followed(stream)  # the version of the format
    if not followed(stream)["little_endian"]:
        raise Refused("its numbers are big-endian")
    found, keys = followed(stream), followed(stream)
    kinds = {tensor.storage.key: tensor.storage for tensor in found.values()}
    arrays, at = {}, stream.tell()
    for key in keys:
        kind = kinds[key]
        (count,) = np.frombuffer(content, "<i8", 1, at)
        if count != kind.size:
            raise Refused(f"a storage has {count} numbers, and {kind.size} are told of")
        arrays[key] = np.frombuffer(content, kind.dtype, kind.size, at + 8)
        at += 8 + arrays[key].nbytes
    return found, lambda asked: arrays[asked.key]


def _array(tensor: Any, storage: Storages) -> np.ndarray:
    if not isinstance(tensor, Tensor):
        raise Refused("it holds what is no tensor")
    numbers = storage(tensor.storage)
    _, offset, shape, strides = tensor
    if len(shape) != len(strides) or min((offset, *shape, *strides)) < 0 or math.prod(shape) > len(numbers):
        raise Refused(f"a tensor {list(shape)} does not fit its {len(numbers)} numbers")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= len(numbers):
        raise Refused(f"a tensor {list(shape)} does not fit its {len(numbers)} numbers")
    steps = [stride * numbers.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)


def followed(stream: io.BytesIO) -> Any:
    """Interprets the next pickle of a stream. Raises Refused for what is not part of a state dictionary."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        at = max(i for i, value in enumerate(stack) if value is MARK)
        found = stack[at + 1 :]
        del stack[at:]
        return found

    argument: Any
    for operation, argument, _ in pickletools.genops(stream):
        name = operation.name
        if name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in LITERALS:
            stack.append(argument)
        elif name in TUPLES:
            stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
        else:
            match name:
                case "PROTO" | "FRAME":
                    pass
                case "EMPTY_DICT":
                    stack.append({})
                case "EMPTY_LIST":
                    stack.append([])
                case "TUPLE":
                    stack.append(tuple(since_mark()))
                case "BINPUT" | "LONG_BINPUT":
                    memo[argument] = stack[-1]
                case "MEMOIZE":
                    memo[len(memo)] = stack[-1]
                case "BINGET" | "LONG_BINGET":
                    stack.append(memo[argument])
                case "APPEND":
                    value = stack.pop()
                    stack[-1].append(value)
                case "APPENDS":
                    values = since_mark()
                    stack[-1].extend(values)
                case "SETITEM":
                    value, key = stack.pop(), stack.pop()
                    stack[-1][_text(key)] = value
                case "SETITEMS":
                    entries = since_mark()
                    stack[-1].update(_ordered(zip(entries[::2], entries[1::2], strict=True)))
                case "GLOBAL":
                    stack.append(_known(argument))
                case "STACK_GLOBAL":
                    thing, module = stack.pop(), stack.pop()
                    stack.append(_known(f"{module} {thing}"))
                case "BINPERSID":
                    kind, dtype, key, _, size, *_ = stack.pop()
                    if kind != "storage":
                        raise Refused(f"it refers to a {kind}")
                    stack.append(Storage(DTYPES[dtype.text], _text(key), int(size)))
                case "REDUCE":
                    arguments, called = stack.pop(), stack.pop()
                    stack.append(CALLED[called.text](*arguments))
                case "BUILD":
                    stack.pop()  # versions of modules
                case "STOP":
                    return stack.pop()
                case _:
                    raise Refused(f"it needs {name}, which no state dictionary does")
    raise Refused("its pickle has no end")


def _known(text: str) -> Name:
    if text not in CALLED and text not in DTYPES:
        raise Refused(f'it names "{text}", which no state dictionary does')
    return Name(text)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused("a name in it is no text")
    return value
