"""The streams there are, as links speak them."""

from livereduce.protocols.adara import ClientHello, HelloFlag, encode, unix_ns
from livereduce.protocols.adara.scan import Scan as AdaraScan
from livereduce.protocols.isis.scan import Scan as IsisScan
from livereduce.sources.link import Dialect


def adara(segment_bytes: int) -> Dialect:
    """Speak ADARA: a hello that says from when data are wanted, and that paused data are not."""
    return Dialect(31415, _hello, lambda: AdaraScan(segment_bytes))


def isis_events(segment_bytes: int) -> Dialect:
    """Listen to the ISIS event stream: the client says nothing."""
    return Dialect(10000, lambda _: b"", lambda: IsisScan(segment_bytes))


def _hello(start: int) -> bytes:
    # the server does not look at a hello's own time
    return encode(ClientHello(unix_ns(0), start, HelloFlag.NO_PAUSE_DATA))
