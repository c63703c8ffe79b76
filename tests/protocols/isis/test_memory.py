"""Reading the histogram memory: which indices are asked for, what is dropped, what happens when it changes meanwhile.

The server here is a table of the page's example: 2 periods, 3 spectra of 4 channels, 2 monitors of 2 channels. Every
value is written down as 10000 period + 100 spectrum + element, so that what was read says where it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livereduce.protocols.isis import Block, BlockDecoder, block
from livereduce.protocols.isis.client import Conversation, ReplyError
from livereduce.protocols.isis.memory import (
    EVENT_PARAMETERS,
    Selection,
    SelectionError,
    Shape,
    event_tables,
    read_event_parameters,
    read_totals,
    requests,
)

PARAMETERS: dict[str, Any] = {
    "NPER": [2], "NTC1": [4], "NSP1": [3], "NTC2": [2], "NSP2": [2], "NDET": [6], "NMON": [2],
    # spectrum 2 has two detectors; detector 16 is in no spectrum there is
    "UDET": [11, 12, 13, 14, 15, 16], "SPEC": [1, 2, 2, 4, 5, 9], "MDET": [4, 5],
    "RTCB1": [10.0, 20.0, 30.0, 40.0, 50.0], "RTCB_4": [5.0, 6.0, 7.0], "NAME": "MUSR  ",
    "RRPB": [float(i) for i in range(32)], "RPB": list(range(32)), "RUN": [77], "TITL": "title",
}  # fmt: skip
SHAPE = Shape(2, 4, 3, 2, 2)


class Table:
    """Answers from a table; `meanwhile` is called after each answered request, by its name."""

    def __init__(self, **changes: Any) -> None:
        self.parameters = PARAMETERS | changes
        self.asked: list[str] = []
        self.meanwhile: Callable[[str], None] = lambda _: None

    def answer(self, request: Block) -> Block:
        if request.command == "GETDAT":
            first, number = (int(v) for v in request.values)
            self.asked.append(f"GETDAT {first} {number}")
            reply = block("OK", np.concatenate([self.row(i) for i in range(first, first + number)]))
        else:
            name = request.data.decode()
            self.asked.append(name)
            reply = block("OK", self.parameters[name]) if self.parameters.get(name) is not None else block("OK")
        self.meanwhile(self.asked[-1])
        return reply

    def row(self, index: int) -> Any:
        stride = 1 + self.parameters["NSP1"][0] + (self.parameters["NSP2"][0] if self.parameters["NTC2"][0] else 0)
        period, spectrum = divmod(index, stride)
        channels = "NTC1" if spectrum <= self.parameters["NSP1"][0] else "NTC2"
        length = int(self.parameters[channels][0]) + 1
        return 10_000 * (period + 1) + 100 * spectrum + np.arange(length)

    def hold(self, conversation: Conversation[Any]) -> Any:
        request = next(conversation)
        try:
            while True:
                (asked,) = BlockDecoder().feed(request.data)
                reply = self.answer(asked)
                assert len(reply.data) <= request.most
                request = conversation.send(reply)
        except StopIteration as ended:
            return ended.value


def read(table: Table, known: Any = None, **wanted: Any) -> Any:
    return table.hold(read_totals(Selection.of(wanted.get("spectra"), wanted.get("periods")), known))


def test_everything_is_read_by_period_without_spectrum_0_and_channel_0() -> None:
    table = Table()
    totals = read(table)
    assert totals.counts[0].tolist() == [[10101, 10102, 10103, 10104], [10201, 10202, 10203, 10204],
                                         [10301, 10302, 10303, 10304]]  # fmt: skip
    assert totals.counts[1][0].tolist() == [20101, 20102, 20103, 20104]
    assert totals.spectra.tolist() == [1, 2, 3]
    assert totals.edges.tolist() == [10, 20, 30, 40, 50]
    # first index of spectrum s in 0-based period p is s + p (T + 1), T = 5
    assert [a for a in table.asked if a.startswith("GETDAT")] == [
        "GETDAT 1 3",
        "GETDAT 4 2",
        "GETDAT 7 3",
        "GETDAT 10 2",
    ]


def test_the_second_regime_comes_beside_with_its_own_channels_and_never_from_rtcb2() -> None:
    table = Table()
    totals = read(table)
    assert totals.monitor_spectra.tolist() == [4, 5]
    assert totals.monitor_edges.tolist() == [5, 6, 7]
    assert [m.tolist() for m in totals.monitor_counts] == [
        [[10401, 10402], [10501, 10502]],
        [[20401, 20402], [20501, 20502]],
    ]
    assert "RTCB_4" in table.asked
    assert "RTCB2" not in table.asked


def test_state_and_tables_are_as_the_server_says() -> None:
    totals = read(Table())
    state, tables = totals.state, totals.tables
    assert state.shape == SHAPE
    assert (state.run, state.charge, state.good_charge, state.good_frames, state.raw_frames, state.duration_s) == (
        77, 8.0, 7.0, 9, 10, 12,
    )  # fmt: skip
    assert tables.detector.tolist() == [11, 12, 13, 14, 15, 16]
    assert tables.spectrum.tolist() == [1, 2, 2, 4, 5, 9]
    assert (tables.monitors, tables.name, tables.title) == ({4, 5}, "MUSR", "title")


def test_a_fake_that_tells_no_run_title_or_frames_will_do() -> None:
    totals = read(Table(RUN=None, TITL=None, RPB=None, RRPB=None))
    state = totals.state
    assert (state.run, state.charge, state.good_charge, state.good_frames, state.duration_s) == (None,) * 5
    assert totals.tables.title == ""


def test_without_a_second_regime_nothing_about_it_is_asked() -> None:
    table = Table(NTC2=[0])
    totals = read(table)
    assert totals.monitor_counts == []
    assert totals.counts[1][0, 0] == 20101
    assert not {"NSP2", "NMON", "MDET", "RTCB_4"} & set(table.asked)
    assert "GETDAT 5 3" in table.asked  # the stride is 4 now


def test_chosen_spectra_and_periods_are_sorted_and_taken_once() -> None:
    table = Table()
    totals = read(table, spectra=[3, 1, 3], periods=[2, 2])
    assert (totals.periods, totals.spectra.tolist()) == ((2,), [1, 3])
    assert totals.counts[0].tolist() == [[20101, 20102, 20103, 20104], [20301, 20302, 20303, 20304]]
    assert [a for a in table.asked if a.startswith("GETDAT")] == ["GETDAT 7 1", "GETDAT 9 1"]


def test_spectra_of_the_second_regime_alone_come_with_its_channels() -> None:
    totals = read(Table(), spectra=[5], periods=[1])
    assert totals.counts[0].tolist() == [[10501, 10502]]
    assert totals.edges.tolist() == [5, 6, 7]
    assert totals.monitor_counts == []


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"spectra": [2, 4]}, r"spectra \[4\] are in the second time regime"),
        ({"spectra": [1, 6, 9]}, r"spectra \[6, 9\] are wanted, the data acquisition has 5"),
        ({"periods": [3, 4]}, r"periods \(3, 4\) are wanted, the data acquisition has 2"),
    ],
)
def test_what_is_not_there_or_does_not_go_together_is_said(wanted: dict[str, list[int]], why: str) -> None:
    with pytest.raises(SelectionError, match=why):
        read(Table(), **wanted)


def test_of_the_wanted_periods_those_that_are_there_are_read() -> None:
    assert read(Table(), periods=[2, 3]).periods == (2,)


def test_a_memory_too_large_for_one_workspace_is_not_begun() -> None:
    table = Table(NSP1=[1 << 22], NTC1=[1 << 10], NTC2=[0], RTCB1=[float(i) for i in range(1025)])
    with pytest.raises(SelectionError, match="choose spectra or periods"):
        read(table)
    assert not any(a.startswith("GETDAT") for a in table.asked)


def test_tables_are_asked_for_again_only_when_shape_or_run_have_changed() -> None:
    table = Table()
    first = read(table)
    table.asked.clear()
    assert read(table, first).tables is first.tables
    assert not {"UDET", "SPEC", "RTCB1"} & set(table.asked)
    table.parameters["RUN"] = [78]
    second = read(table, first)
    assert second.tables is not first.tables
    table.parameters["NPER"] = [3]
    assert len(read(table, second).counts) == 3


@pytest.mark.parametrize("change", [{"NPER": [3]}, {"RUN": [78]}, {"NSP2": [3]}, {"NTC2": [0]}])
def test_a_memory_that_changes_while_it_is_read_is_read_again(change: dict[str, list[int]]) -> None:
    table = Table()
    table.meanwhile = lambda name: table.parameters.update(change) if name == "GETDAT 10 2" else None
    totals = read(table)
    expected = Table(**change)
    assert [c.tolist() for c in totals.counts] == [c.tolist() for c in read(expected).counts]
    assert totals.state.run == expected.parameters["RUN"][0]


def test_a_memory_that_never_holds_still_is_an_error() -> None:
    table = Table()

    def restless(name: str) -> None:
        if name.startswith("GETDAT"):
            table.parameters["RUN"] = [table.parameters["RUN"][0] + 1]

    table.meanwhile = restless
    with pytest.raises(ReplyError, match="keeps changing"):
        read(table)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"NPER": [0]}, "NPER: found 0"),
        ({"NPER": [5000]}, "NPER: found 5000, expected 1 to 4096"),
        ({"NTC1": [-1]}, "NTC1: found -1"),
        ({"NSP1": [1 << 30]}, "NSP1: found"),
        ({"NDET": [-5]}, "NDET: found -5"),
        ({"NDET": [(1 << 22) + 1]}, "NDET"),
        ({"NDET": [7]}, "UDET: found 6 values, expected 7"),
        ({"SPEC": [1, 2]}, "SPEC: found 2 values, expected 6"),
        ({"RTCB1": [10.0, 20.0, 20.0, 40.0, 50.0]}, "RTCB1: time-channel boundaries have to rise"),
        ({"RTCB1": [10.0, 20.0, float("nan"), 40.0, 50.0]}, "RTCB1: time-channel boundaries"),
        ({"RTCB1": [1.0]}, "RTCB1: found 1 values, expected 5"),
        ({"NMON": [7]}, "NMON: found 7, expected 0 to 6"),
        ({"RTCB_4": None}, "RTCB_4: found 0 values, expected 3"),
        ({"NSP1": None}, "NSP1: the data acquisition gave no value"),
    ],
)
def test_parameters_that_cannot_be_are_errors_that_name_them(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ReplyError, match=why):
        read(Table(**change))


def test_monitors_at_positions_outside_the_table_are_no_monitors() -> None:
    assert read(Table(MDET=[0, 4])).tables.monitors == {4}
    assert read(Table(MDET=[-3, 9], RTCB_4=[5.0, 6.0, 7.0])).tables.monitors == set()


def test_impossible_charges_and_frames_count_as_not_told() -> None:
    odd = [float(i) for i in range(32)]
    odd[8] = float("nan")
    odd[7] = -1.0
    state = read(Table(RRPB=odd, RPB=[-1] * 32)).state
    assert (state.charge, state.good_charge, state.good_frames) == (None, None, 0)


def test_runs_of_spectra_are_asked_for_in_pieces_of_at_most_a_megabyte() -> None:
    assert list(requests([1, 2, 3, 7, 8, 10], 100)) == [(1, 3), (7, 2), (10, 1)]
    # 1048576 // (4 * 5000) = 52
    assert list(requests(range(1, 111), 5000)) == [(1, 52), (53, 52), (105, 6)]
    assert list(requests([5, 6], 1 << 20)) == [(5, 1), (6, 1)]
    assert list(requests([], 10)) == []


@given(st.sets(st.integers(1, 300)), st.integers(1, 1 << 19))
def test_requests_cover_just_the_spectra_that_are_wanted(wanted: set[int], channels: int) -> None:
    pieces = list(requests(sorted(wanted), channels))
    assert [s for first, number in pieces for s in range(first, first + number)] == sorted(wanted)
    assert all(number == 1 or 4 * channels * number <= 1 << 20 for _, number in pieces)


def test_the_event_streams_parameters_come_as_blocks_named_after_them_and_back() -> None:
    blocks = Table().hold(read_event_parameters())
    assert tuple(b.command for b in blocks) == EVENT_PARAMETERS
    tables = event_tables(blocks)
    assert (tables.periods, tables.spectra) == (2, 3)
    assert (tables.detector.tolist(), tables.spectrum.tolist()) == ([11, 12, 13, 14, 15, 16], [1, 2, 2, 4, 5, 9])


def test_a_machine_without_detectors_has_empty_tables() -> None:
    table = Table(NDET=[0])
    assert event_tables(table.hold(read_event_parameters())).detector.tolist() == []
    assert "UDET" not in table.asked


@pytest.mark.parametrize(
    ("at", "values", "why"),
    [
        (0, [0], "0 periods of 3 spectra are out of range"),
        (0, [5000], "5000 periods"),
        (1, [-1], "-1 spectra"),
        (2, [5], "do not fit together"),
        (3, [1, 2], "do not fit together"),
        (1, [1, 2], "do not fit together"),
        (0, [1.5], "parameters"),
    ],
)
def test_blocks_that_are_not_such_parameters_are_refused(at: int, values: list[float], why: str) -> None:
    blocks = list(Table().hold(read_event_parameters()))
    blocks[at] = block(blocks[at].command, values)
    with pytest.raises(ReplyError, match=why):
        event_tables(blocks)
    with pytest.raises(ReplyError, match="expected"):
        event_tables(blocks[1:])
