"""Coverage-guided fuzzing of the ADARA decoder: ``make fuzz`` installs atheris and runs this.

Any exception but `FramingError` at a damaged outer length, anything held beyond the cap, a difference between the two
ways of decoding, or a packet that does not survive writing and reading is a finding.
"""

import struct
import sys

CAP = 1 << 16


def main() -> None:
    import atheris  # not in the locked tools: wheels exist for some interpreters only

    # not the kernels: numba compiles bytecode and must see it as it is
    rooms = ["wire", "packets", "reading", "writing", "decoder", "xml"]
    with atheris.instrument_imports(include=[f"livereduce.protocols.adara.{room}" for room in rooms]):
        from livereduce.errors import ProtocolError
        from livereduce.protocols import adara
        from livereduce.protocols.adara.xml import parse_device_descriptor, parse_run_info

    types = [*adara.PacketType, 0x7777]

    def stream(source: atheris.FuzzedDataProvider) -> bytes:
        """Frame the fuzzer's bytes as packets, so that it spends its time on their insides; the rest stays raw."""
        packets = []
        for _ in range(source.ConsumeIntInRange(0, 8)):
            payload = source.ConsumeBytes(4 * source.ConsumeIntInRange(0, 64))
            payload += bytes(-len(payload) % 4)
            form = source.PickValueInList(types) << 8 | source.ConsumeIntInRange(0, 2)
            packets.append(struct.pack("<4I", len(payload), form, 1_000_000_000, 5) + payload)
        rest: bytes = source.ConsumeBytes(source.remaining_bytes())
        return b"".join(packets) + rest

    def decode(
        data: bytes, piece: int, batch_events: bool
    ) -> tuple[list[adara.Packet | adara.EventBatch], adara.Decoder]:
        decoder, found = adara.Decoder(CAP, batch_events), list[adara.Packet | adara.EventBatch]()
        try:
            for at in range(0, len(data), piece):
                found += list(decoder.feed(data[at : at + piece]))
                assert decoder.pending <= CAP, "more held than the cap allows"
        except adara.FramingError:
            pass
        return found, decoder

    def check(data: bytes) -> None:
        source = atheris.FuzzedDataProvider(data)
        piece = source.ConsumeIntInRange(1, 1000)
        data = stream(source)
        packets, single = decode(data, piece, batch_events=False)
        batches, batched = decode(data, 1 << 20, batch_events=True)
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
        try:
            data = adara.encode(packet)
        except ValueError:  # replacement signs are longer than the bytes they stand for; a time may carry past the end
            return
        again = list(adara.Decoder().feed(data))
        # NaN is unequal to itself: compare what is written of both
        assert [adara.encode(p) for p in again if isinstance(p, adara.Packet)] == [data]
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
