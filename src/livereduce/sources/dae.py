"""Holding conversations with a DAE's command port over one connection that is kept, and made again when it is lost.

Does: connect, open, send requests, receive replies in lockstep, notice a server that closed or fell silent.
Does not: know what is asked (`protocols.isis.client`, `.memory`), wait longer than it is told to.
"""

import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

from livereduce.errors import LiveReduceError
from livereduce.protocols.isis.client import Conversation, Request, opening
from livereduce.protocols.isis.command import Block, BlockDecoder, CommandError
from livereduce.sources.dial import Dial
from livereduce.sources.resume import BackOff

DEFAULT_PORT = 6789
SILENCE_SECONDS = 30.0
"""A server that is asked something and says nothing for so long is given up."""
REPLY_SECONDS = 120.0
"""So long may a whole reply take, however it trickles."""
CLOSED_ON = 2
"""A server that closes the connection so often when asked for a parameter does not know it."""
RECEIVE_BYTES = 1 << 18
TURN_SECONDS = 0.05
"""The longest wait without looking at the clock."""

T = TypeVar("T")


class DaeConnection(Generic[T]):
    """One conversation after another with the same server, each beginning again when the connection is lost in it.

    Parameters
    ----------
    address
        See `Dial`; the port is 6789 if left out.
    clock
        Seconds that never go back.

    Attributes
    ----------
    error
        Why there is no answer, for people; empty when all is well.
    """

    def __init__(self, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.error = ""
        self._back_off = BackOff()
        self._dial = Dial(address, DEFAULT_PORT, clock, self._back_off.delay)
        self._clock = clock
        self._make: Callable[[], Conversation[T]] | None = None
        self._conversation: Conversation[T] | Conversation[None] | None = None
        self._opening = False
        self._reused = False  # the connection is of an earlier conversation, and nothing was answered since
        self._decoder = BlockDecoder()
        self._unsent = b""
        self._request: Request | None = None
        self._asked = self._heard = 0.0
        self._closed_on = Counter[str]()

    @property
    def address(self) -> str:
        """The server's."""
        return self._dial.address

    @property
    def busy(self) -> bool:
        """Whether a conversation is under way."""
        return self._make is not None

    @property
    def interest(self) -> tuple[socket.socket, int] | None:
        """Socket and events to poll for before the next step; None while waiting for the next attempt."""
        interest = self._dial.interest
        return (interest[0], interest[1] | select.POLLOUT) if interest and self._unsent else interest

    @property
    def retry_at(self) -> float:
        """When the next attempt to connect is due."""
        return self._dial.retry_at

    def begin(self, make: Callable[[], Conversation[T]]) -> None:
        """Hold the conversation that `make` makes; one under way is given up."""
        if self._request is not None:  # its reply would be taken for one to the new conversation
            self._dial.again()
            self._request = None
        self._make = make
        self._conversation = None
        self._reused = self._dial.connection is not None

    def step(self, wait_s: float = 0.0) -> T | None:
        """Go on for at most about `wait_s`; gives the conversation's outcome when it is over, else None.

        Raises
        ------
        LiveReduceError
            The conversation has ended so; the connection is as it was.
        """
        until = self._clock() + wait_s
        while self._make is not None:
            over, outcome = self._turn()
            if over:
                return outcome
            left = until - self._clock()
            if left <= 0:
                return None
            self._wait(left)
        return None

    def close(self) -> None:
        """End the connection."""
        self._dial.close()

    def _wait(self, seconds: float) -> None:
        seconds = min(seconds, TURN_SECONDS)
        if self.interest is None:
            time.sleep(min(seconds, max(0.0, self._dial.retry_at - self._clock())))
            return
        poll = select.poll()
        poll.register(*self.interest)
        poll.poll(1000 * seconds)

    def _turn(self) -> tuple[bool, T | None]:
        """Do one thing; tells whether the conversation is over, and its outcome."""
        connection = self._dial.connection
        try:
            if connection is None:
                if self._dial.step() is not None:
                    self._open()
                elif self._dial.error:
                    self.error = self._dial.error
                return False, None
            if self._conversation is None:
                if self._reused:
                    _check_idle(connection)
                return self._hold(None)
            self._send(connection)
            reply = self._receive(connection)
            return (False, None) if reply is None else self._hold(reply)
        except (OSError, CommandError, EOFError) as error:
            self._fail(error)
            return False, None

    def _open(self) -> None:
        self._decoder = BlockDecoder()
        self._conversation, self._opening, self._reused = opening(), True, False
        self._ask(next(self._conversation))

    def _hold(self, reply: Block | None) -> tuple[bool, T | None]:
        """Give the conversation a reply, and ask what it asks next."""
        if self._conversation is None:
            assert self._make is not None
            self._conversation = self._make()
        try:
            request = next(self._conversation) if reply is None else self._conversation.send(reply)
            while self._closed_on[request.optional] >= CLOSED_ON:  # answer in the server's place: it does not know
                request = self._conversation.send(Block("OK"))
            self._ask(request)
        except StopIteration as ended:
            return self._end(ended.value)
        except LiveReduceError as error:
            if isinstance(error, CommandError):
                raise
            self._make = self._conversation = self._request = None
            raise
        return False, None

    def _end(self, outcome: T | None) -> tuple[bool, T | None]:
        self._conversation = self._request = None
        if self._opening:
            self._opening = False
            return False, None
        self._make = None
        self.error = ""
        self._back_off.received(None)
        return True, outcome

    def _ask(self, request: Request) -> None:
        self._request, self._unsent = request, request.data
        self._decoder.max_data_bytes = request.most
        self._asked = self._heard = self._clock()
        if self._dial.connection is not None:
            self._send(self._dial.connection)

    def _send(self, connection: socket.socket) -> None:
        if self._unsent:
            try:
                self._unsent = self._unsent[connection.send(self._unsent) :]
            except BlockingIOError:
                return

    def _receive(self, connection: socket.socket) -> Block | None:
        now = self._clock()
        try:
            data = connection.recv(RECEIVE_BYTES)
        except BlockingIOError:
            if now - self._heard > SILENCE_SECONDS:
                raise CommandError(f"no answer for {SILENCE_SECONDS:.0f} s") from None
            return None
        if not data:
            raise EOFError
        self._heard = now
        if now - self._asked > REPLY_SECONDS:
            raise CommandError(f"an answer took longer than {REPLY_SECONDS:.0f} s")
        replies = list(self._decoder.feed(data))
        if len(replies) > 1 or (replies and self._decoder.pending):
            raise CommandError("the data acquisition said more than it was asked for")
        if replies:
            self._reused = False
            self._request = None
        return replies[0] if replies else None

    def _fail(self, error: Exception) -> None:
        """Lose the connection and begin the conversation again on the next one."""
        request = self._request
        self._conversation = self._request = None
        self._opening, self._unsent = False, b""
        if isinstance(error, EOFError):
            if self._reused:  # servers close a connection on which nothing was said for a minute
                self._dial.again()
                return
            if request is not None and request.optional:
                self._closed_on[request.optional] += 1
            asked = f" when asked for {request.optional}" if request is not None and request.optional else ""
            error = EOFError(f"the server closed the connection{asked}")
        self._dial.lose(str(error))
        self.error = str(error)


def _check_idle(connection: socket.socket) -> None:
    """Find out whether the server closed the connection, or spoke unasked, since the last conversation."""
    try:
        stray = connection.recv(1)
    except BlockingIOError:
        return
    if stray:
        raise CommandError("the data acquisition said something it was not asked for")
    raise EOFError
