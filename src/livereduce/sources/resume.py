"""When to connect to a server again, and from when to ask for data: decided without a socket or a clock."""

from livereduce.protocols.adara import epics_seconds

NOW, CONTAINER = 0, 1
"""Starts a hello may ask for: nothing of the past; the current container (a run, or the gap between two) as a whole."""
OVERLAP_S = 10
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 30.0
BREAKS = 3


class BackOff:
    """The policy of one stream, over all its connections, whose server keeps no history.

    Delays double until data arrive that make sense.

    Parameters
    ----------
    last_pulse_ns
        The last pulse of earlier connections, Unix ns.
    """

    def __init__(self, last_pulse_ns: int | None = None) -> None:
        self.last_pulse_ns = last_pulse_ns
        self._delay = FIRST_DELAY_S
        self._breaks = 0
        self._broken_after: int | None = None

    def start(self) -> int:
        """Give what the next connection asks for."""
        return NOW

    def delay(self) -> float:
        """Give the seconds to wait before the next attempt, twice as long each time until data arrive."""
        delay = self._delay
        self._delay = min(2 * delay, LONGEST_DELAY_S)
        return delay

    def received(self, last_pulse_ns: int | None) -> None:
        """Take note of data, and of their last pulse if they have one."""
        if last_pulse_ns is not None:
            self.last_pulse_ns = last_pulse_ns
            if self._broken_after is None or last_pulse_ns > self._broken_after:
                self._breaks = 0
        if not self._breaks:
            self._delay = FIRST_DELAY_S

    def broke(self) -> None:
        """Take note that packet boundaries were lost."""
        self._breaks += 1
        self._broken_after = self.last_pulse_ns


class Resume(BackOff):
    """The policy of a stream whose server keeps history, as ADARA's does.

    After a loss the server is asked for the time of the last pulse that arrived, less `OVERLAP_S`; what comes twice
    is recognised downstream. A place at which packet boundaries get lost `BREAKS` times is left behind by asking for
    data from now, else the same history would be fetched for ever.

    Parameters
    ----------
    first_start
        What to ask for while no pulse has been seen, EPICS s (`NOW`, `CONTAINER`).
    last_pulse_ns
        The last pulse of earlier connections, Unix ns.
    """

    def __init__(self, first_start: int, last_pulse_ns: int | None = None) -> None:
        super().__init__(last_pulse_ns)
        self._first_start = first_start

    def start(self) -> int:
        """Give what the next hello asks for, EPICS s."""
        if self._breaks >= BREAKS:
            return NOW
        if self.last_pulse_ns is None:
            return self._first_start
        return max(CONTAINER, epics_seconds(self.last_pulse_ns) - OVERLAP_S)
