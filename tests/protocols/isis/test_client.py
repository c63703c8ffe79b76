"""What counts as a reply: every way of answering something else than was asked for is an error that says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from livereduce.protocols.isis import Block, BlockDecoder, DataType, block, decode_open
from livereduce.protocols.isis.client import (
    Conversation,
    ReplyError,
    Request,
    array,
    counts,
    opening,
    optional_array,
    optional_scalar,
    optional_text,
    scalar,
)


def hold(conversation: Conversation[Any], *replies: Block) -> tuple[Any, list[Request]]:
    """Answer each request with the next reply."""
    asked, left = [next(conversation)], list(replies)
    try:
        while True:
            asked.append(conversation.send(left.pop(0)))
    except StopIteration as ended:
        assert not left
        return ended.value, asked


def test_a_connection_is_opened_by_the_message_of_120_bytes_and_an_ok() -> None:
    _, asked = hold(opening(), Block("OK"))
    assert decode_open(asked[0].data).user == "livereduce"


def test_data_after_the_ok_of_the_opening_are_thrown_away() -> None:
    hold(opening(), block("OK", "welcome"))


def test_any_other_answer_to_the_opening_is_a_refusal() -> None:
    with pytest.raises(ReplyError, match="refused the connection: it answered 'SORRY', expected 'OK'"):
        hold(opening(), Block("SORRY"))


def test_a_scalar_is_asked_for_by_name_in_the_type_wanted() -> None:
    value, asked = hold(scalar("NPER", 1, 10), block("OK", [5]))
    assert value == 5
    (request,) = BlockDecoder().feed(asked[0].data)
    assert (request.command, request.data, request.dims) == ("GETPARI32", b"NPER", (4,))
    assert asked[0].most == 4


INT32 = DataType.INT32


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Block("OK"), "NPER: the data acquisition gave no value"),
        (Block("NO", INT32, (1,), b"\5\0\0\0"), "NPER: the data acquisition answered 'NO', expected 'OK'"),
        (Block("", INT32, (1,), b"\5\0\0\0"), "answered ''"),
        (block("OK", [1.5]), "NPER: found REAL32 data, expected INT32"),
        (block("OK", "five"), "found CHAR data"),
        (block("OK", [1, 2]), "NPER: the data acquisition gave no value"),
        (Block("OK", INT32, (7,), b"\5\0\0\0"), r"dimensions \(7,\) do not fit 4 bytes"),
        (Block("OK", INT32, (1 << 30,) * 4, b"\5\0\0\0"), "do not fit 4 bytes"),
        (block("OK", [0]), "NPER: found 0, expected 1 to 10"),
        (block("OK", [11]), "found 11"),
        (block("OK", [-1]), "found -1"),
    ],
)
def test_everything_else_than_one_sensible_integer_is_an_error(reply: Block, why: str) -> None:
    with pytest.raises(ReplyError, match=why):
        hold(scalar("NPER", 1, 10), reply)


def test_an_array_must_have_the_size_asked_for() -> None:
    value, asked = hold(array("UDET", INT32, 3), block("OK", [7, 8, 9]))
    assert value.tolist() == [7, 8, 9]
    assert asked[0].most == 12
    for wrong in (block("OK", [7, 8]), Block("OK")):
        with pytest.raises(ReplyError, match=r"UDET: found \d values, expected 3"):
            hold(array("UDET", INT32, 3), wrong)


def test_what_a_server_does_not_know_is_none_if_it_need_not() -> None:
    assert hold(optional_scalar("RUN"), Block("OK"))[0] is None
    assert hold(optional_scalar("RUN"), block("OK", [77]))[0] == 77
    assert hold(optional_array("RRPB", DataType.REAL32, 2), Block("OK"))[0] is None
    assert hold(optional_array("RRPB", DataType.REAL32, 2), block("OK", [1.0]))[0] is None
    assert hold(optional_text("TITL"), Block("OK"))[0] == ""
    assert hold(optional_text("TITL"), block("OK", "a title   "))[0] == "a title"
    assert hold(optional_text("TITL"), Block("OK"))[1][0].optional == "TITL"


def test_counts_are_rows_and_their_dimensions_are_not_looked_at() -> None:
    reply = Block("OK", INT32, (2, 31), np.arange(6, dtype="<i4").tobytes())
    value, asked = hold(counts(103, 2, 3), reply)
    assert value.tolist() == [[0, 1, 2], [3, 4, 5]]
    (request,) = BlockDecoder().feed(asked[0].data)
    assert (request.command, request.values.tolist(), asked[0].most) == ("GETDAT", [103, 2], 24)


@pytest.mark.parametrize(
    "reply",
    [
        Block("OK"),
        Block("OK", INT32, (5,), bytes(20)),
        Block("OK", INT32, (7,), bytes(28)),
        Block("OK", DataType.REAL32, (6,), bytes(24)),
        Block("ERR", INT32, (6,), bytes(24)),
    ],
)
def test_counts_in_another_number_or_type_are_an_error(reply: Block) -> None:
    with pytest.raises(ReplyError, match="asked for 2 spectra of 3 values from index 103"):
        hold(counts(103, 2, 3), reply)
