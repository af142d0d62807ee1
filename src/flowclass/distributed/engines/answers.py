"""Answers as octets, for engines to which a task that raises is one to try again: that a file is bad is an answer."""

from __future__ import annotations

import msgspec

from flowclass.distributed.tasks import perform
from flowclass.errors import OutputError

MOST_TRIES = 3
DIED = f"the process that read it died {MOST_TRIES} times"


class _Answer(msgspec.Struct):
    done: bytes = b""
    failure: str = ""
    output: bool = False


def answered(message: bytes) -> bytes:
    """Do a task; what it raises becomes its answer."""
    try:
        answer = _Answer(done=perform(message))
    except OutputError as problem:
        answer = _Answer(failure=str(problem), output=True)
    except Exception as problem:
        answer = _Answer(failure=f"{type(problem).__name__}: {problem}")
    return msgspec.msgpack.encode(answer)


def read_answer(octets: bytes) -> bytes | str:
    """Give the answer, or the sentence why there is none.

    Raises
    ------
    OutputError
        When the output took nothing: no other task will fare better.
    """
    answer = msgspec.msgpack.decode(octets, type=_Answer)
    if answer.output:
        raise OutputError(answer.failure)
    return answer.failure or answer.done
