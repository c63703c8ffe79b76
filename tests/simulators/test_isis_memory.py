"""The simulated histogram memory, asked as a client asks; fakes' values are the page's."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from livereduce.errors import LiveReduceError
from livereduce.protocols.isis import Block, CommandError, DataType, block
from livereduce.simulators.isis_memory import JUNK, Memory, empty_memory, fake_memory, file_memory


def ask(memory: Memory, name: str, kind: str = "I32") -> list[float]:
    return memory.reply(block(f"GETPAR{kind}", name)).values.tolist()  # type: ignore[no-any-return]


def get(memory: Memory, first: int, number: int) -> Block:
    return memory.reply(block("GETDAT", [first, number]))


def test_the_fake_answers_every_parameter_as_the_page_says() -> None:
    memory = fake_memory(periods=5, spectra=10, bins=100)
    expected = {"NPER": 5, "NDET": 13, "NTC1": 100, "NSP1": 10, "NTC2": 200, "NSP2": 3, "NMON": 3}
    assert {name: ask(memory, name) for name in expected} == {name: [n] for name, n in expected.items()}
    assert ask(memory, "UDET") == ask(memory, "SPEC") == list(range(1, 14))
    assert ask(memory, "MDET") == [11, 12, 13]
    assert ask(memory, "RTCB1", "R32") == [10_000 + 100 * k for k in range(101)]
    for name in ("RTCB2", "RTCB_11", "RTCB_4"):
        assert ask(memory, name, "R32") == [10_000 + 10 * k for k in range(201)]
    charges = ask(memory, "RRPB", "R32")
    assert charges[8] == sum(charges) == pytest.approx(3.14)
    assert memory.reply(block("GETPARC08", "NAME")).text == "MUSR"


@pytest.mark.parametrize("name", ["RUN", "TITL", "RPB", "CNT1", "nper", "NPER\0", "NPER "])
def test_what_the_fake_does_not_know_it_answers_with_ok_and_no_data(name: str) -> None:
    assert fake_memory().reply(block("GETPARI32", name)) == Block("OK")


def test_the_fake_looks_at_the_name_only_and_a_strict_server_at_the_type_too() -> None:
    fake = fake_memory()
    assert fake.reply(block("GETPARC08", "NPER")).values.tolist() == [1]
    strict = empty_memory(fake)
    assert strict.reply(block("GETPARC08", "NPER")) == Block("OK")
    assert strict.reply(block("GETPARI32", "NPER")).values.tolist() == [1]


def test_every_value_of_the_fake_is_1000_p_plus_s_with_one_value_more_than_channels() -> None:
    memory = fake_memory(periods=2, spectra=4, bins=3)
    reply = get(memory, 2, 2)
    assert (reply.dims, reply.type) == ((2, 4), DataType.INT32)
    assert reply.values.tolist() == [2, 2, 2, 2, 3, 3, 3, 3]
    # 4 + 3 spectra and spectrum 0: the second period begins at index 8
    assert get(memory, 8 + 3, 1).values.tolist() == [1003] * 4
    assert get(memory, 8, 1).values.tolist() == [1000] * 4


def test_monitors_have_longer_rows_under_the_dimensions_of_the_first_regime() -> None:
    reply = get(fake_memory(spectra=4, bins=3), 5, 3)
    assert (reply.dims, len(reply.values)) == ((3, 4), 3 * 7)
    assert reply.values.tolist() == [5] * 7 + [6] * 7 + [7] * 7


@pytest.mark.parametrize(("first", "number"), [(-1, 1), (0, 0), (5, 4), (16, 1), (1, -3), (7, 2), (1 << 30, 1)])
def test_spectra_out_of_range_get_no_data(first: int, number: int) -> None:
    assert get(fake_memory(periods=2, spectra=4, bins=3), first, number) == Block("OK")


@pytest.mark.parametrize("request_", [Block("GETDAT"), block("GETDAT", [1]), block("GETDAT", [1.0, 2.0])])
def test_a_request_nobody_understands_ends_the_connection(request_: Block) -> None:
    with pytest.raises(CommandError, match="request 'GETDAT'"):
        fake_memory().reply(request_)


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (4096, 100_000, 1000)])
def test_memories_that_cannot_be_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(LiveReduceError, match="at least 1"):
        fake_memory(*sizes)


def test_events_are_counted_into_their_channels_and_nothing_else_changes() -> None:
    memory = empty_memory(fake_memory(periods=2, spectra=4, bins=3))
    tof = np.array([10_000, 10_099.9, 10_100, 10_299.9, 10_300, 9_999.9, 10_150], np.float32)
    memory.count(1, np.array([0, 0, 0, 3, 3, 3, 4], np.uint32), tof)
    assert memory.first.values[1, :, 1:].tolist() == [[2, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert memory.first.values[0, :, 1:].sum() == 0
    assert (memory.first.values[:, :, 0] == JUNK).all()
    memory.clear()
    assert memory.first.values[:, :, 1:].sum() == 0


def test_a_measured_file_is_held_count_for_count_behind_the_junk(shared_data: Path) -> None:
    path = shared_data / "lrcs3701.nx5"
    with h5py.File(path) as file:
        counts, edges = file["Histogram1/data/data"][()], file["Histogram1/data/time_of_flight"][()]
        monitor = np.ravel(file["Histogram1/monitor1/data"][()])
    memory = file_memory(path)
    assert (ask(memory, "NSP1"), ask(memory, "NTC1"), ask(memory, "NSP2"), ask(memory, "NTC2")) == (
        [148],
        [750],
        [1],
        [1000],
    )
    assert ask(memory, "RUN") == [3701]
    assert memory.reply(block("GETPARC08", "TITL")).text.startswith("MgB2")
    assert ask(memory, "RTCB1", "R32") == edges.tolist()
    rows = get(memory, 1, 148).values.reshape(148, 751)
    assert (rows[:, 0] == JUNK).all()
    np.testing.assert_array_equal(rows[:, 1:], counts)
    np.testing.assert_array_equal(get(memory, 149, 1).values[1:], monitor)
    assert ask(memory, "MDET") == [149]
