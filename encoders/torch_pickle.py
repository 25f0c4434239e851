"""Pickles of torch read as data: nothing that they name is imported, built or called.

A pickle is a program for a stack machine that may call any function. Here its instructions are
followed on plain values alone: a class or function stays a name, and an object its name with what
it would have been built from.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

__all__ = ["Made", "Named", "read_pickle"]


@dataclass(frozen=True)
class Named:
    """A class or function by name.

    Args:
        module: Its module.
        name: Its name there.
    """

    module: str
    name: str


@dataclass
class Made:
    """An object as what it would have been built from.

    Args:
        of: What builds it.
        arguments: What that is called with.
        state: What is set afterwards.
    """

    of: Any
    arguments: Any = ()
    state: Any = None


@dataclass
class _Machine:
    """Stack machine of a pickle.

    Args:
        stored: Gives what an identifier outside the pickle stands for.
        stack: Values.
        marks: Heights of the stack that are marked.
        memo: Values that are used again, by number.
    """

    stored: Callable[[Any], Any]
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def marked(self) -> list[Any]:
        """Take the values down to the last mark."""
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def taken(self, count: int) -> list[Any]:
        """Take the upper values."""
        if not 0 < count <= len(self.stack):
            raise ValueError("it takes what is not there")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def make(self) -> None:
        """Call a function, which stays a name but for containers."""
        of, arguments = self.taken(2)
        name = of.name if isinstance(of, Named) else ""
        if name in ("OrderedDict", "defaultdict", "Counter"):
            made: Any = dict(arguments[0]) if name == "OrderedDict" and arguments else {}
        elif name in ("set", "frozenset"):
            made = list(arguments[0]) if arguments else []
        else:
            made = Made(of, arguments)
        self.stack.append(made)

    def build(self) -> None:
        """Set the state of an object; that of a container does not matter."""
        (state,) = self.taken(1)
        if isinstance(self.stack[-1], Made):
            self.stack[-1].state = state

    def map(self) -> None:
        """Make a mapping of the keys and values down to the last mark."""
        pairs = self.marked()
        self.push({})
        self.put(pairs)

    def put(self, pairs: list[Any]) -> None:
        """Put keys and values into the mapping on top."""
        into = self.stack[-1]
        if isinstance(into, dict):
            into.update(zip(pairs[::2], pairs[1::2], strict=True))

    def add(self, values: list[Any]) -> None:
        """Add values to the list on top."""
        into = self.stack[-1]
        if isinstance(into, list):
            into.extend(values)

    def remember(self, place: int) -> None:
        """Keep the value on top for later."""
        self.memo[place] = self.stack[-1]

    def push(self, value: Any) -> None:
        """Put a value on top."""
        self.stack.append(value)


Act = Callable[[_Machine, Any], object]
_ACTS: Mapping[str, Act] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, _: None),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "POP": lambda machine, _: machine.stack.pop(),
    "POP_MARK": lambda machine, _: machine.marked(),
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "GLOBAL": lambda machine, text: machine.push(Named(*text.split(" ", 1))),
    "STACK_GLOBAL": lambda machine, _: machine.push(Named(*machine.taken(2))),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    **dict.fromkeys(("EMPTY_LIST", "EMPTY_SET"), lambda machine, _: machine.push([])),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.taken(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.taken(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.taken(3))),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.marked())),
    **dict.fromkeys(("LIST", "FROZENSET"), lambda machine, _: machine.push(machine.marked())),
    "DICT": lambda machine, _: machine.map(),
    "SETITEM": lambda machine, _: machine.put(machine.taken(2)),
    "SETITEMS": lambda machine, _: machine.put(machine.marked()),
    "APPEND": lambda machine, _: machine.add(machine.taken(1)),
    **dict.fromkeys(("APPENDS", "ADDITEMS"), lambda machine, _: machine.add(machine.marked())),
    "REDUCE": lambda machine, _: machine.make(),
    "NEWOBJ": lambda machine, _: machine.push(Made(*machine.taken(2))),
    "NEWOBJ_EX": lambda machine, _: machine.push(Made(*machine.taken(3)[:2])),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.push(machine.stored(machine.taken(1)[0])),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda machine, n: machine.remember(n)),
    "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"), lambda machine, n: machine.push(machine.memo[n])
    ),
}
"""What each instruction does; all others that are taken put their argument on top."""


def read_pickle(file: IO[bytes], stored: Callable[[Any], Any]) -> Any:
    """Value of the pickle that begins here; the file is left behind its end.

    Args:
        file: The file.
        stored: Gives what an identifier outside the pickle stands for.

    Raises:
        ValueError: If it is not a pickle, or has an instruction that torch does not write.
    """
    machine = _Machine(stored)
    try:
        for code, argument, _ in pickletools.genops(file):
            if code.name == "STOP":
                return machine.taken(1)[0]
            act = _ACTS.get(code.name)
            if act is not None:
                act(machine, argument)
            elif argument is not None and not code.stack_before and len(code.stack_after) == 1:
                machine.push(argument)
            else:
                raise ValueError(f"it has the instruction {code.name}")
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is damaged ({type(error).__name__})") from None
    raise ValueError("it has no end")
