"""Which listener a file means."""

from pathlib import Path

import pytest

from livereduce.errors import LiveReduceError
from livereduce.listeners.adara import AdaraListener
from livereduce.listeners.opening import Wanted, open_recording, open_stream
from livereduce.protocols.adara import Heartbeat, encode


def test_a_stream_is_recognised_by_its_first_packet(tmp_path: Path) -> None:
    path = tmp_path / "any.name"
    path.write_bytes(encode(Heartbeat(1_700_000_000_000_000_000)))
    listener = open_recording(path)
    assert isinstance(listener, AdaraListener)
    while not listener.ended:
        listener.receive()
    listener.close()


@pytest.mark.parametrize("content", [b"", b"short", b"just some text that is long enough", b"\x03" + bytes(40)])
def test_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.adara"
    path.write_bytes(content)
    with pytest.raises(LiveReduceError, match="neither an ADARA stream nor a NeXus"):
        open_recording(path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(LiveReduceError, match=r"none\.adara: cannot be read \(No such file"):
        open_recording(tmp_path / "none.adara")


def test_a_listener_that_there_is_not_is_said() -> None:
    with pytest.raises(LiveReduceError, match="this version has no kafka listener"):
        open_stream(Wanted("kafka", "localhost:9092"))
