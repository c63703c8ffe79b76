"""Coverage-guided fuzzing of the ADARA decoder: ``make fuzz`` installs atheris and runs this.

Any exception but `FramingError` at a damaged outer length, anything held beyond the cap, a difference between the two
ways of decoding, or a packet that does not survive writing and reading is a finding.
"""

import sys

SEEDS = "tests/fuzz/corpus"
CAP = 1 << 16


def main() -> None:
    import atheris  # not in the locked tools: wheels exist for some interpreters only

    # not the kernels: numba compiles bytecode and must see it as it is
    rooms = ["wire", "packets", "reading", "writing", "decoder", "xml"]
    with atheris.instrument_imports(include=[f"livereduce.protocols.adara.{room}" for room in rooms]):
        from livereduce.errors import ProtocolError
        from livereduce.protocols import adara
        from livereduce.protocols.adara.xml import parse_device_descriptor, parse_run_info

    def decode(data: bytes, piece: int, batch_events: bool) -> tuple[list[object], adara.Decoder]:
        decoder, found = adara.Decoder(CAP, batch_events), []
        try:
            for at in range(0, len(data), piece):
                found += list(decoder.feed(data[at : at + piece]))
                assert decoder.pending <= CAP, "more held than the cap allows"
        except adara.FramingError:
            pass
        return found, decoder

    def check(data: bytes) -> None:
        piece = data[0] * 4 + 1 if data else 1
        packets, single = decode(data[1:], piece, batch_events=False)
        batches, batched = decode(data[1:], 1 << 20, batch_events=True)
        single.stats.last_problem = batched.stats.last_problem = None
        assert single.stats == batched.stats, f"{single.stats} differs from {batched.stats}"
        assert single.consumed == batched.consumed
        events = sum(len(p.tof) for p in packets if isinstance(p, adara.BankedEvent))
        columns = [b for b in batches if isinstance(b, adara.EventBatch)]
        dropped = sum(int(b.error_events.sum() + b.unmapped_events.sum()) for b in columns)
        assert events == dropped + sum(len(b.tof) for b in columns), "events differ"
        for packet in packets:
            assert isinstance(packet, adara.Packet)
            check_packet(packet)

    def check_packet(packet: adara.Packet) -> None:
        again = list(adara.Decoder().feed(adara.encode(packet)))
        # NaN is unequal to itself: compare what is written of both
        assert [adara.encode(p) for p in again if isinstance(p, adara.Packet)] == [adara.encode(packet)]
        parse = {adara.DeviceDescriptor: parse_device_descriptor, adara.RunInfo: parse_run_info}.get(type(packet))
        if parse is not None:
            try:
                parse(packet.xml)  # type: ignore[attr-defined]
            except ProtocolError:
                pass

    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
