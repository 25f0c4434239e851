"""Guard around parsers written in Rust: whatever they raise becomes an error of the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kg.errors import InputError


@contextmanager
def native(
    name: str, form: str, *, begins: int = 1, hint: str = "correct the line"
) -> Iterator[None]:
    """Context for parsing; an exception of a native parser becomes an `InputError`.

    Args:
        name: Name of the text, for messages.
        form: Its expected format (`OBO`, `RDF`).
        begins: Line of the file at which the parsed text begins.
        hint: Remedy where the text is malformed.

    Raises:
        InputError: If the parser refuses the text or breaks off; names the line where it is known.
    """
    try:
        yield
    except SyntaxError as error:
        line = f", line {begins + error.lineno - 1}" if error.lineno else ""
        raise InputError(f"{name}{line}: is not {form} ({error.msg})", hint) from None
    except MemoryError:
        said = f"{name}: a text or name is longer than 16 MiB, the parser's limit"
        raise InputError(said, "shorten it") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be read ({error})", f"is it {form}?") from None
    except BaseException as error:
        # a panic of Rust; it is no `Exception`, and its class cannot be imported
        if type(error).__name__ != "PanicException":
            raise
        line = f", line {begins} or later" if begins > 1 else ""
        raise InputError(f"{name}{line}: its parser broke off ({error})", hint) from None
