from pathlib import Path

import numpy as np
import pytest

from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    TableWorkspace,
    WorkspaceGroup,
    WorkspaceStore,
)


def histogram(value: float = 1.0) -> HistogramWorkspace:
    return HistogramWorkspace([0.0, 1.0], [[value]])


def test_a_workspace_is_found_by_the_name_it_was_stored_under() -> None:
    store, ws = WorkspaceStore(), histogram()
    store.add("a", ws)
    assert store["a"] is ws
    assert ws.name() == "a"
    assert "a" in store
    assert ws in store
    assert len(store) == 1


def test_names_are_case_sensitive_and_must_not_be_empty() -> None:
    store = WorkspaceStore()
    store.add("a", histogram())
    assert "A" not in store
    with pytest.raises(ValueError, match="needs a name"):
        store.add(" ", histogram())


def test_a_missing_workspace_is_an_error_that_lists_what_there_is() -> None:
    store = WorkspaceStore()
    store.add("alpha", histogram())
    store.add("__hidden", histogram())
    with pytest.raises(KeyError, match="no workspace 'beta'; there are: alpha"):
        store["beta"]
    with pytest.raises(KeyError, match="beta"):
        store.remove("beta")


def test_adding_under_a_name_in_use_is_an_error() -> None:
    store = WorkspaceStore()
    store.add("a", histogram())
    with pytest.raises(ValueError, match="there is a workspace 'a' already"):
        store.add("a", histogram())


def test_replacing_with_the_same_class_keeps_the_object_that_others_hold() -> None:
    store, old = WorkspaceStore(), histogram(1.0)
    store.add("a", old)
    assert store.replace("a", histogram(2.0)) is old
    assert old.y.tolist() == [[2.0]]
    assert old.name() == "a"


def test_replacing_with_another_class_puts_the_new_object_there() -> None:
    store, old, new = WorkspaceStore(), histogram(), TableWorkspace()
    store.add("a", old)
    assert store.replace("a", new) is new
    assert store["a"] is new
    assert old.name() == ""


def test_one_object_has_one_name() -> None:
    store, ws = WorkspaceStore(), histogram()
    store.add("a", ws)
    copy = store.replace("b", ws)
    assert copy is not ws
    assert (ws.name(), copy.name()) == ("a", "b")
    assert store.replace("a", ws) is ws


def test_hidden_names_are_found_but_not_listed() -> None:
    store = WorkspaceStore()
    for name in ("z", "__x", "a"):
        store.add(name, histogram())
    assert store.names() == list(store) == ["z", "a"]
    assert store.names(hidden=True) == ["z", "__x", "a"]
    assert "__x" in store


def test_hidden_names_made_up_are_unique_while_in_use() -> None:
    store = WorkspaceStore()
    names = {store.unique_hidden_name() for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("__") for name in names)


def test_an_alias_stands_for_another_name_until_something_has_it() -> None:
    store, ws = WorkspaceStore(), histogram()
    store.add("accumulation_1", ws)
    store.alias("accumulation", "accumulation_1")
    assert "accumulation" in store
    assert store["accumulation"] is ws
    assert store.names() == ["accumulation_1"]
    store.rename("accumulation", "result")
    assert ws.name() == "result"
    assert "accumulation" not in store
    store.add("accumulation", histogram(3.0))
    assert store["accumulation"] is not ws


def test_replacing_through_an_alias_changes_what_it_stands_for() -> None:
    store, ws = WorkspaceStore(), histogram()
    store.add("accumulation_1", ws)
    store.alias("accumulation", "accumulation_1")
    assert store.replace("accumulation", histogram(5.0)) is ws
    assert ws.y.tolist() == [[5.0]]


def test_renaming_keeps_the_object_and_replaces_what_had_the_name() -> None:
    store, a, b = WorkspaceStore(), histogram(1.0), histogram(2.0)
    store.add("a", a)
    store.add("b", b)
    assert store.rename("a", "b") is a
    assert store.names() == ["b"]
    assert store["b"] is a
    assert (a.name(), b.name()) == ("b", "")
    assert store.rename("b", "b") is a


def test_removing_takes_a_workspace_out_of_its_groups() -> None:
    store, a, b = WorkspaceStore(), histogram(), histogram()
    store.add("a", a)
    store.add("b", b)
    group = WorkspaceGroup([a, b])
    store.add("g", group)
    assert store.remove("a") is a
    assert group.getNames() == ["b"]
    store.remove("g")
    assert store.names() == ["b"]


def test_a_replaced_member_takes_its_place_in_the_group() -> None:
    store, a, b = WorkspaceStore(), histogram(), histogram()
    store.add("a", a)
    store.add("b", b)
    group = WorkspaceGroup([a, b])
    store.add("g", group)
    table = store.replace("a", TableWorkspace())
    assert list(group) == [table, b]


def test_clearing_empties_the_store() -> None:
    store, ws = WorkspaceStore(), histogram()
    store.add("a", ws)
    store.clear()
    assert len(store) == 0
    assert ws.name() == ""


def test_holdings_say_who_holds_how_many_bytes_and_list_a_shared_table_once() -> None:
    store, table = WorkspaceStore(), EventTable(2)
    table.append(np.zeros(100_000), np.zeros(100_000), [0], [0, 100_000], [1.0])
    for name in ("accumulation", "result"):
        store.add(name, EventWorkspace.from_table(table, 0, 100_000, Detectors([1, 2])))
    store.add("small", histogram())
    found = store.holdings()
    assert found[0].kind == "EventTable"
    assert found[0].shown_by == ("accumulation", "result")
    assert 800_000 <= found[0].nbytes < 1_700_000
    assert {h.name: h.nbytes for h in found if h.name == "small"} == {"small": 32}
    assert sum(h.kind == "EventTable" for h in found) == 1


def test_dropping_caches_frees_what_was_counted_and_leaves_values_as_they_were() -> None:
    store, table = WorkspaceStore(), EventTable(2)
    table.append([5, 15], [0, 1], [0], [0, 2], [1.0])
    ws = EventWorkspace.from_table(table, 0, 2, Detectors([1, 2]), edges=[0.0, 1.0, 2.0])
    store.add("ws", ws)
    y = ws.y
    store.drop_caches()
    assert table.cache.nbytes == ws.getMemorySize() == 0
    assert ws.y.tolist() == y.tolist() == [[1, 0], [0, 1]]


def test_all_events_go_to_disk_those_of_monitors_too_and_counts_stay_as_they_are(tmp_path: Path) -> None:
    """Tables begin with a segment of 1024 events; then as many again, and so on."""
    store, table, of_monitors = WorkspaceStore(), EventTable(2), EventTable(1)
    rng = np.random.default_rng(1)
    tof, pix = rng.integers(0, 40, 3000), rng.integers(0, 2, 3000)
    for i in range(0, 3000, 500):
        table.append(tof[i : i + 500], pix[i : i + 500], [i], [0, 500], [1.0])
    of_monitors.append(np.zeros(1024), np.zeros(1024), [0], [0, 1024], [1.0])
    ws = EventWorkspace.from_table(table, 0, 3000, Detectors([1, 2]), edges=[0.0, 1.0, 2.0, 4.0])
    ws.monitors = EventWorkspace.from_table(of_monitors, 0, 1024, Detectors([-1]))
    store.add("ws", ws)
    store.add("again", ws.clone())
    expected = [np.histogram(tof[pix == p] / 10, [0, 1, 2, 4])[0].tolist() for p in (0, 1)]
    assert store.move_events_to_disk(tmp_path, 1 << 30) == 8 * (1024 + 1024 + 1024)
    store.drop_caches()
    assert ws.y.tolist() == expected
    np.testing.assert_allclose(ws.getSpectrum(1).getTofs(), tof[pix == 1] / 10)
    assert store.move_events_to_disk(tmp_path, 1 << 30) == 0
