"""How much CPU time a comparison may take.

Refuses to measure by the wall clock: a busy machine must not refuse what an idle one accepts.
"""

from __future__ import annotations

import gc
import threading
import time

from llm_schema_registry.errors import TooComplex


class _Collections(threading.local):
    """The CPU seconds that this thread has spent on collecting garbage, its own and that of others."""

    seconds = 0.0
    started_at = 0.0


_collections = _Collections()


def _note(phase: str, _info: dict[str, int]) -> None:
    if phase == "start":
        _collections.started_at = time.thread_time()
    else:
        _collections.seconds += time.thread_time() - _collections.started_at


# A collection strikes whichever thread happens to allocate, and can take longer than a whole comparison.
gc.callbacks.append(_note)


class Budget:
    """The CPU time of the calling thread that one comparison may take. Made and spent in one thread."""

    __slots__ = ("_ends_at", "_seconds", "_steps")

    # Between two looks at the clock; a step takes at most some microseconds.
    _STEPS_PER_LOOK = 256

    def __init__(self, seconds: float) -> None:
        """Begin to count now."""
        self._seconds = seconds
        self._ends_at = _worked_seconds() + seconds
        self._steps = 0

    @property
    def seconds_left(self) -> float:
        """CPU seconds until `spend` refuses; negative afterwards."""
        return self._ends_at - _worked_seconds()

    def extend(self, seconds: float) -> None:
        """Allow so much from now on, to finish with what was found when the time is over."""
        self._ends_at = _worked_seconds() + seconds

    def spend(self, steps: int = 1) -> None:
        """Count work of about a microsecond a step. Raises TooComplex once the time is used up."""
        self._steps += steps
        if self._steps >= self._STEPS_PER_LOOK:
            self._steps = 0
            if self.seconds_left < 0:
                raise TooComplex(
                    f"The two schemas are too complex to compare: more than {self._seconds * 1000:.0f} ms of CPU time. "
                    "Split the schema, or make combinations and circles of references smaller"
                )


def _worked_seconds() -> float:
    return time.thread_time() - _collections.seconds
