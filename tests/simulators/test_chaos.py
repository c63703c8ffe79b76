import pytest

from livereduce.errors import LiveReduceError
from livereduce.protocols.adara import BankedEvent, Decoder, Heartbeat, encode
from livereduce.simulators import chaos
from livereduce.simulators.chaos import HELP, Chaos, chaos_from

NOW = 1_700_000_000_000_000_000
MARKER = encode(Heartbeat(NOW))


def test_switches_are_read_with_and_without_numbers() -> None:
    assert chaos_from(("split-writes", "stall=2.5", "close-mid-packet=3")) == Chaos(
        split_writes=True, stall=2.5, close_mid_packet=3
    )
    assert chaos_from(()) == Chaos()


def test_every_switch_that_help_names_exists() -> None:
    for text in HELP:
        name, equals, _ = text.partition("=")
        assert chaos_from((f"{name}=1" if equals else name,)) != Chaos()


@pytest.mark.parametrize("switch", ["no-such", "stall", "stall=", "stall=-1", "stall=x", "split-writes=2", "oversize="])
def test_wrong_switches_are_refused_by_name(switch: str) -> None:
    with pytest.raises(LiveReduceError, match=f"--chaos {switch}"):
        chaos_from((switch,))


def test_unknown_packets_are_skipped_and_what_follows_is_read() -> None:
    decoder = Decoder()
    assert list(decoder.feed(chaos.unknown_packets(NOW) + MARKER)) == [Heartbeat(NOW)]
    assert sum(decoder.stats.unknown.values()) == 2


def test_oversize_packet_is_beyond_the_cap_and_what_follows_is_read() -> None:
    decoder = Decoder()
    found = [packet for part in [*chaos.oversize_packet(NOW), MARKER] for packet in decoder.feed(part)]
    assert found == [Heartbeat(NOW)]
    assert decoder.stats.oversize == 1


def test_malformed_packet_is_counted_and_gives_no_events() -> None:
    decoder = Decoder()
    found = list(decoder.feed(chaos.malformed_packet(NOW) + MARKER))
    assert not any(isinstance(packet, BankedEvent) for packet in found)
    assert found == [Heartbeat(NOW)]
    assert sum(decoder.stats.malformed.values()) == 1


def test_packets_with_broken_xml_are_well_framed() -> None:
    assert len(list(Decoder().feed(chaos.broken_xml(NOW, in_run=True)))) == 5
    assert len(list(Decoder().feed(chaos.broken_xml(NOW, in_run=False)))) == 4
