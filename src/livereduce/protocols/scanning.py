"""What the recorder has to know of any stream while it is written down: where segments begin, what is settled."""

from typing import NamedTuple


class Cut(NamedTuple):
    """A segment begins at byte `offset` of the chunk; run 0, started at 0, is between runs (or not told)."""

    offset: int
    run: int
    run_start_ns: int


class Scanned(NamedTuple):
    """What a chunk holds.

    Attributes
    ----------
    cuts
        In the order of their offsets.
    settled
        Bytes of the chunk that can be written down. The rest must come again at the head of the next chunk: it may
        be the beginning of a packet that starts a segment.
    broken
        Why the stream cannot be followed any further, or None.
    """

    cuts: list[Cut]
    settled: int
    broken: str | None
