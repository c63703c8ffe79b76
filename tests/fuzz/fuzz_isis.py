"""Coverage-guided fuzzing of the ISIS decoders; run as `fuzz_adara.py` is.

Any exception but the protocols' own, anything held beyond the cap, a difference between scan and decoder or between
two ways of cutting, or a block that does not survive writing and reading is a finding.
"""

import struct
import sys

CAP = 1 << 14


def main() -> None:
    import atheris  # not in the locked tools: wheels exist for some interpreters only

    # not the kernels: numba compiles bytecode and must see it as it is
    rooms = ["wire", "command", "events", "scan", "client", "memory"]
    with atheris.instrument_imports(include=[f"livereduce.protocols.isis.{room}" for room in rooms]):
        from livereduce.errors import LiveReduceError
        from livereduce.protocols import isis
        from livereduce.protocols.isis.memory import Selection, event_tables, read_totals
        from livereduce.protocols.isis.scan import Scan

    types = [*isis.PacketType, 0, 77]

    def stream(source: atheris.FuzzedDataProvider) -> bytes:
        """Frame the fuzzer's bytes as packets, so that it spends its time on their insides; the rest stays raw."""
        packets = []
        for _ in range(source.ConsumeIntInRange(0, 8)):
            kind = source.PickValueInList(types)
            length = source.PickValueInList([20, 24, 28, 22, 0])
            body = source.ConsumeBytes(4 * source.ConsumeIntInRange(0, 40))
            if kind == isis.PacketType.NEUTRON and source.ConsumeBool():
                body = struct.pack("<3I2fI", 24, 1, 0, 0.0, 0.0, len(body) // 8) + body[: len(body) // 8 * 8]
            packets.append(struct.pack("<5I", 0xFFFFFFFF, 0xFFFFFFFF, 0x10000, length, kind) + body)
        rest: bytes = source.ConsumeBytes(source.remaining_bytes())
        return b"".join(packets) + rest

    def decode(data: bytes, piece: int) -> tuple[list[object], int, bool]:
        decoder, found = isis.Decoder(CAP), list[object]()
        try:
            for at in range(0, len(data), piece):
                for item in decoder.feed(data[at : at + piece]):
                    if isinstance(item, isis.NeutronBatch):
                        found += [("neutron", n) for n in item.frame.tolist()]
                        assert item.start[-1] == len(item.tof) == len(item.spectrum)
                    else:
                        found.append(item)
                        check_parameters(item)
                assert decoder.pending <= CAP + 4096, "more held than the cap allows"
        except isis.FramingError:
            return found, decoder.consumed, True
        return found, decoder.consumed, False

    def check_parameters(item: object) -> None:
        if isinstance(item, isis.Parameters):
            try:
                event_tables(item.blocks)
            except LiveReduceError:
                pass

    def check_stream(data: bytes, piece: int) -> None:
        whole = decode(data, 1 << 20)
        assert decode(data, piece) == whole, "cutting makes a difference"
        settled = Scan(1 << 40).feed(data).settled
        assert settled <= len(data)

    def check_commands(source: atheris.FuzzedDataProvider) -> None:
        """Hold a conversation with a server that says whatever the fuzzer says."""
        conversation, decoder = read_totals(Selection.of(None, None), None), isis.BlockDecoder()
        try:
            request = next(conversation)
            while source.remaining_bytes():
                decoder.max_data_bytes = min(request.most, 1 << 16)
                for block in decoder.feed(source.ConsumeBytes(source.ConsumeIntInRange(1, 300))):
                    assert list(isis.BlockDecoder().feed(isis.encode_block(block))) == [block]
                    request = conversation.send(block)
        except (LiveReduceError, StopIteration, ValueError):  # a command that is not ASCII cannot be written again
            pass

    def check(data: bytes) -> None:
        source = atheris.FuzzedDataProvider(data)
        if source.ConsumeBool():
            check_commands(source)
        else:
            piece = source.ConsumeIntInRange(1, 1000)
            check_stream(stream(source), piece)

    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
