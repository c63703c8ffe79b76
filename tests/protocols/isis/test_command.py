"""The command protocol's bytes: worked out by hand from the page, cut anywhere, damaged everywhere."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livereduce.protocols.isis import (
    Block,
    BlockDecoder,
    CommandError,
    DataType,
    Open,
    block,
    decode_open,
    encode_block,
    encode_open,
)

# 120, version 1.1, pid 0, access 0, pad 0, user "faa" in 32 bytes, host "localhost" in 64
OPEN = bytes.fromhex("78000000 01000000 01000000 00000000 00000000 00000000") + (
    b"faa" + bytes(29) + b"localhost" + bytes(55)
)
# 88 + 4 bytes, char, one dimension of 4, "GETPARI32" in 32 bytes, then the name without NUL
GETPAR_NPER = bytes.fromhex("5c000000 04000000 01000000 04000000") + bytes(40) + b"GETPARI32" + bytes(23) + b"NPER"
# 88 + 8 bytes, int32, one dimension of 2, "GETDAT", from spectrum 3 five of them
GETDAT_3_5 = (
    bytes.fromhex("60000000 01000000 01000000 02000000") + bytes(40) + b"GETDAT" + bytes(26)
    + bytes.fromhex("03000000 05000000")
)  # fmt: skip
OK_OF_THE_FAKE = bytes.fromhex("58000000 00000000 00000000") + bytes(44) + b"OK" + bytes(30)
OK_OF_THE_REFERENCE = bytes.fromhex("58000000 00000000 01000000") + bytes(44) + b"OK" + bytes(30)


def test_the_open_message_is_the_pages_120_bytes() -> None:
    assert encode_open(Open(user="faa")) == OPEN
    assert decode_open(OPEN) == Open("faa", "localhost")


def test_an_older_minor_version_is_taken_and_others_are_not() -> None:
    def version(major: int, minor: int) -> bytes:
        return OPEN[:4] + struct.pack("<2i", major, minor) + OPEN[12:]

    assert decode_open(version(1, 0)).minor == 0
    for wrong in (version(2, 0), version(1, 2), version(1, -1), version(0, 1)):
        with pytest.raises(CommandError, match=r"expected 120 bytes, version 1\.0 to 1\.1"):
            decode_open(wrong)


def test_an_open_message_of_another_length_is_none() -> None:
    with pytest.raises(CommandError, match="119 bytes"):
        decode_open(OPEN[:-1])
    with pytest.raises(CommandError, match="says 121 bytes"):
        decode_open(struct.pack("<i", 121) + OPEN[4:])


def test_names_too_long_for_their_fields_are_cut_before_the_last_byte_which_stays_nul() -> None:
    message = encode_open(Open(user="u" * 40, host="h" * 70))
    assert message[24:56] == b"u" * 31 + b"\0"
    assert message[56:] == b"h" * 63 + b"\0"


def test_requests_are_the_pages_bytes() -> None:
    assert encode_block(block("GETPARI32", "NPER")) == GETPAR_NPER
    assert encode_block(block("GETDAT", [3, 5])) == GETDAT_3_5


def test_both_ways_to_write_ok_without_data_are_read() -> None:
    assert list(BlockDecoder().feed(OK_OF_THE_FAKE + OK_OF_THE_REFERENCE)) == [
        Block("OK"),
        Block("OK", DataType.NONE, (0,)),
    ]


def test_numbers_are_little_endian_and_c_ordered() -> None:
    written = encode_block(block("OK", np.array([[1, -2], [3, 4]], np.int32)))
    assert written[:20] == bytes.fromhex("68000000 01000000 02000000 02000000 02000000")
    assert written[88:] == bytes.fromhex("01000000 feffffff 03000000 04000000")
    (read,) = BlockDecoder().feed(written)
    assert (read.dims, read.values.tolist()) == ((2, 2), [1, -2, 3, 4])
    assert encode_block(block("OK", [1.5]))[88:] == bytes.fromhex("0000c03f")
    assert encode_block(block("OK", [1.5], DataType.REAL64))[88:] == bytes.fromhex("000000000000f83f")


def test_texts_lose_the_nuls_and_blanks_at_their_end() -> None:
    assert Block("OK", DataType.CHAR, (8,), b"MUSR  \0 ").text == "MUSR"


@pytest.mark.parametrize("bad", [Block("C" * 32), Block("OK", dims=(1,) * 12)])
def test_what_the_form_cannot_hold_is_not_written(bad: Block) -> None:
    with pytest.raises(ValueError, match="at most 31 characters and 11 dimensions"):
        encode_block(bad)


def test_a_stream_cut_at_every_byte_gives_the_same_blocks() -> None:
    stream = GETPAR_NPER + OK_OF_THE_FAKE + GETDAT_3_5
    whole = list(BlockDecoder().feed(stream))
    assert [b.command for b in whole] == ["GETPARI32", "OK", "GETDAT"]
    for cut in range(len(stream) + 1):
        decoder = BlockDecoder()
        assert [*decoder.feed(stream[:cut]), *decoder.feed(stream[cut:])] == whole
        assert decoder.pending == 0


def test_single_bytes_give_the_same_blocks() -> None:
    decoder = BlockDecoder()
    assert [b for byte in GETDAT_3_5 for b in decoder.feed(bytes([byte]))] == [block("GETDAT", [3, 5])]


def changed(offset: int, value: int) -> bytes:
    return GETDAT_3_5[:offset] + struct.pack("<i", value) + GETDAT_3_5[offset + 4 :]


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (changed(0, 87), "87 bytes long; its header alone has 88"),
        (changed(0, 0), "0 bytes long"),
        (changed(0, -1), "-1 bytes long"),
        (changed(0, -(1 << 31)), "bytes long"),
        (changed(0, (1 << 31) - 1), "holds 2147483559 bytes of data; at most 1000"),
        (changed(0, 88 + 1001), "holds 1001 bytes of data; at most 1000"),
        (changed(0, 88 + 7), "7 bytes of INT32 data"),
        (changed(4, 5), "data of type 5; expected 0 to 4"),
        (changed(4, -1), "data of type -1"),
        (changed(4, 0), "8 bytes of NONE data"),
        (changed(8, 12), "12 dimensions"),
        (changed(8, 200), "200 dimensions"),
        (changed(8, -1), "-1 dimensions"),
        (changed(12, -1), r"1 dimensions \(-1,\)"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".ljust(100, b" "), "bytes of data"),
        (bytes(88), "0 bytes long"),
        (b"\xff" * 88, "-1 bytes long"),
    ],
)
def test_a_header_that_cannot_be_is_an_error_that_says_why_however_it_is_cut(damaged: bytes, why: str) -> None:
    for piece in (1, 7, 1000):
        decoder = BlockDecoder(max_data_bytes=1000)
        pieces = [damaged[at : at + piece] for at in range(0, len(damaged), piece)]
        with pytest.raises(CommandError, match=why):
            _ = [found for data in pieces for found in decoder.feed(data)]


def test_blocks_before_a_damaged_one_are_given() -> None:
    blocks = BlockDecoder().feed(OK_OF_THE_FAKE + bytes(88))
    assert next(blocks) == Block("OK")
    with pytest.raises(CommandError):
        next(blocks)


@given(st.binary(max_size=600), st.integers(1, 100))
def test_random_bytes_give_blocks_or_an_error_and_never_hold_more_than_came(data: bytes, piece: int) -> None:
    decoder = BlockDecoder(max_data_bytes=200)
    try:
        for at in range(0, len(data), piece):
            for found in decoder.feed(data[at : at + piece]):
                assert len(found.data) <= 200
            assert decoder.pending <= 288 + piece
    except CommandError:
        pass


names = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=31)


@given(st.lists(st.tuples(names, st.sampled_from(DataType), st.lists(st.integers(0, 9), max_size=3), st.binary())))
def test_whatever_is_written_is_read_back(parts: list[tuple[str, DataType, list[int], bytes]]) -> None:
    blocks = []
    for command, kind, dims, data in parts:
        size = 0 if kind is DataType.NONE else len(data) - len(data) % kind.dtype.itemsize
        blocks.append(Block(command, kind, tuple(dims), data[:size]))
    assert list(BlockDecoder().feed(b"".join(map(encode_block, blocks)))) == blocks
