"""
What a pickle wants to import, listed without reading the pickle, and what of it is let through.

A pickle is a program: it names functions and classes and calls them. The names stand in it in plain sight, so they are
judged first. Three sorts pass: the few that put tensors together, the classes of training libraries (which become
empty placeholders, such as Lightning's ModelCheckpoint in the public VQGAN files), and the modules of a TorchScript
archive. One name beyond these and the whole file is refused.
"""

from __future__ import annotations

import pickletools
import sys
from collections.abc import Collection, Iterator
from typing import Any, Final

from videojob_runner.errors import UnsafeCheckpoint

STORAGES: Final = frozenset(
    f"torch.{name}Storage"
    for name in ("BFloat16", "Bool", "Byte", "Char", "Double", "Float", "Half", "Int", "Long", "Short")
)
ALLOWED_IMPORTS: Final = STORAGES | {
    "_codecs.encode",  # how protocol 2 spells bytes
    "builtins.set",
    "collections.Counter",
    "collections.OrderedDict",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
}
"""All that is really called: constructors of tensors and of plain containers."""
TRAINING_PACKAGES: Final = ("lightning", "lightning_fabric", "numpy", "omegaconf", "pytorch_lightning")
"""Packages whose classes stand in checkpoints as a by-product of training; read as placeholders."""
TORCHSCRIPT_PACKAGE: Final = "__torch__"
"""Where TorchScript puts the classes of an archive."""
RENAMED_MODULES: Final = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""Protocol 2 uses the module names of Python 2."""
OPAQUE_OPCODES: Final = frozenset({"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"})
"""Instructions that import in another way than the plain one; torch writes none of them."""


class Placeholder:
    """Stands where an object of a class we do not load would stand; knows its state and does nothing with it."""

    state: Any = None

    def __new__(cls, *_: object) -> Placeholder:
        """An empty one, whatever it is called with."""
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        """Whatever the class would have been called with is dropped."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


class PlainDict(dict[Any, Any]):
    """Stands for a subclass of dict, whose entries torch's unpickler sets on exact dicts only: makes such a one."""

    def __new__(cls, *_: object) -> dict[Any, Any]:  # type: ignore[misc]  # not one of its own kind: on purpose
        """An empty dict."""
        return {}


def placeholders(pickle: bytes, *, inert: Collection[str] = ()) -> dict[str, type]:
    """
    The stand-in for each class in `pickle` that is not loaded, by its full name.

    `inert` names further classes that the user knows as harmless. Raises UnsafeCheckpoint for any other name.
    """
    return {name: placeholder_class(name) for name in sorted(list_imports(pickle)) if not is_allowed(name, inert)}


def list_imports(pickle: bytes) -> frozenset[str]:
    """Full names of all that `pickle` imports, in today's spelling. Raises UnsafeCheckpoint when some are hidden."""
    return frozenset(_imports(pickle))


def _imports(pickle: bytes) -> Iterator[str]:
    try:
        for opcode, argument, _ in pickletools.genops(pickle):
            if opcode.name in OPAQUE_OPCODES:
                raise UnsafeCheckpoint(
                    f"the checkpoint imports with {opcode.name}, which weights do not need; nothing was executed"
                )
            if opcode.name == "GLOBAL":
                module, _, name = str(argument).partition(" ")
                yield f"{RENAMED_MODULES.get(module, module)}.{name}"
    except ValueError as error:
        raise UnsafeCheckpoint(
            f"the checkpoint's pickle is damaged or forged: {error}; nothing was executed"
        ) from error


def is_allowed(name: str, inert: Collection[str]) -> bool:
    """Whether `name` is really imported; False: a placeholder stands for it. Raises UnsafeCheckpoint."""
    package = name.partition(".")[0]
    if name in ALLOWED_IMPORTS:
        return True
    if package == TORCHSCRIPT_PACKAGE or package in TRAINING_PACKAGES or (name in inert and not is_dangerous(package)):
        return False
    raise forbidden_import(name, package)


def is_dangerous(package: str) -> bool:
    """Whether a package can do harm by itself and has no business in weights."""
    return package in sys.stdlib_module_names or package == "torch"


def placeholder_class(name: str) -> type:
    """What stands for the class `name`."""
    return PlainDict if name.endswith(".AttributeDict") else Placeholder


def forbidden_import(name: str, package: str) -> UnsafeCheckpoint:
    """The error for a name that is not let through, with the remedy, if there is one."""
    if is_dangerous(package):
        return UnsafeCheckpoint(f"the checkpoint tries to call {name}, which weights do not need; nothing was executed")
    return UnsafeCheckpoint(
        f"the checkpoint tries to load {name}; nothing was executed. "
        f"If this is a harmless leftover of training, --inert {name} reads it as an empty placeholder"
    )
