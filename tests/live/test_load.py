"""One step: what the stages see, in which order, what becomes of the objects; chunks are made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from livereduce.algorithms import load_nexus_processed
from livereduce.errors import ScriptError
from livereduce.live.load import LiveStep, Method, Names, held_bytes
from livereduce.live.scripts import compile_script
from livereduce.live.stages import ScriptFileStage, ScriptStage, Stage, Surroundings, algorithm_stage
from livereduce.mantid import finder, simpleapi
from livereduce.mantid.ads import mtd
from livereduce.workspaces import (
    Detectors,
    EventTable,
    EventWorkspace,
    HistogramWorkspace,
    MatrixWorkspace,
    TableWorkspace,
    Workspace,
    WorkspaceGroup,
    WorkspaceStore,
)

DETECTORS = Detectors([1, 2])
MakeStep = Callable[..., LiveStep]


@pytest.fixture
def step() -> Iterator[MakeStep]:
    """``step(proc=text, post=text, preserve_events=..., names=...)`` on a store of its own."""
    before = mtd.use(WorkspaceStore())
    finder.install()
    surroundings = Surroundings(simpleapi.script_names())

    def make(proc: str | Stage | None = None, post: str | Stage | None = None, **options: Any) -> LiveStep:
        def stage(given: str | Stage | None, name: str) -> Stage | None:
            return ScriptStage(compile_script(given, f"{name}.py"), surroundings) if isinstance(given, str) else given

        return LiveStep(mtd.store, options.pop("names", Names()), stage(proc, "proc"), stage(post, "post"), **options)

    yield make
    finder.uninstall()
    mtd.use(before)


def chunk(*tof_us: tuple[float, int], edges: list[float] | None = None) -> EventWorkspace:
    """Events (time of flight in µs, spectrum) of one pulse."""
    table = EventTable(2)
    table.append([round(10 * t) for t, _ in tof_us], [i for _, i in tof_us], [1], [0, len(tof_us)], [100.0])
    return EventWorkspace.from_table(table, 0, table.n, DETECTORS, edges=edges)


THREE = ((5.0, 0), (15.0, 0), (15.0, 1))


def take(step: LiveStep, *chunks: Workspace, method: Method = Method.ADD) -> MatrixWorkspace:
    """Take chunks and post-process after each; return what is stored under the output's name."""
    for one in chunks:
        step.load(one, method, lambda _: None)
        step.post(lambda _: None)
    found = mtd[step.names.output]
    assert isinstance(found, MatrixWorkspace)
    return found


def y_of(workspace: Workspace | None) -> list[list[float]]:
    assert isinstance(workspace, MatrixWorkspace)
    values: list[list[float]] = workspace.y.tolist()
    return values


# -- order and identity ------------------------------------------------------------------------------------------------


def test_without_stages_the_output_is_the_accumulation(step: MakeStep) -> None:
    live = step()
    assert y_of(take(live, chunk(*THREE))) == [[2], [1]]
    assert mtd.getObjectNames() == ["result"]


def test_stages_run_in_order_and_say_so(step: MakeStep) -> None:
    live = step()
    said: list[str] = []
    live.load(chunk(*THREE), Method.ADD, said.append)
    live.post(said.append)
    assert said == ["proc", "accumulate", "post"]
    assert set(live.latency) == {"proc", "accumulate", "post"}


def test_events_are_dropped_after_the_chunk_script_and_before_accumulation(step: MakeStep) -> None:
    """The script's bins decide; the post script sees what is left of events."""
    proc = "assert input.id() == 'EventWorkspace'\noutput = Rebin(input, '0,10,20')"
    live = step(
        proc, "assert input.id() == 'Workspace2D', input.id()\noutput = CloneWorkspace(input)", preserve_events=False
    )
    found = take(live, chunk(*THREE), chunk(*THREE))
    assert isinstance(found, HistogramWorkspace)
    assert found.x.tolist() == [0, 10, 20]
    assert found.y.tolist() == [[2, 2], [0, 2]]


def test_preserved_events_keep_the_chunk_scripts_bins(step: MakeStep) -> None:
    found = take(step("output = Rebin(input, '0,10,20')"), chunk(*THREE), chunk(*THREE))
    assert isinstance(found, EventWorkspace)
    assert found.y.tolist() == [[2, 2], [0, 2]]


def test_bins_of_the_two_scripts_do_not_mix(step: MakeStep) -> None:
    live = step(post="output = Rebin(input, '0,5,20')")
    take(live, chunk(*THREE))
    assert isinstance(live.accumulation, EventWorkspace)
    assert live.accumulation.n_bins == 1
    assert y_of(live.output) == [[0, 1, 0, 1], [0, 0, 0, 1]]
    live = step("output = Rebin(input, '0,10,20')", "output = Rebin(input, '0,5,20')")
    take(live, chunk(*THREE))
    assert y_of(live.accumulation) == [[1, 1], [0, 1]]
    assert y_of(live.output) == [[0, 1, 0, 1], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("method", "expected"),
    [(Method.ADD, [[4], [2]]), (Method.REPLACE, [[2], [1]]), (Method.APPEND, [[2], [1], [2], [1]])],
)
def test_two_chunks_of_n_events_give_2n_or_n_or_twice_the_spectra_in_the_same_object(
    step: MakeStep, method: Method, expected: list[list[float]]
) -> None:
    live = step()
    first = take(live, chunk(*THREE))
    assert take(live, chunk(*THREE), method=method) is first
    assert first.y.tolist() == expected


def test_an_empty_chunk_is_processed_and_added_like_any_other(step: MakeStep) -> None:
    live = step("assert input.getNumberEvents() in (0, 3)\noutput = Rebin(input, '0,10,20')")
    assert take(live, chunk(), chunk(*THREE), chunk()).y.tolist() == [[1, 1], [0, 1]]


# -- what scripts leave as output --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        "Rebin(input, '0,10,20', OutputWorkspace=output)",
        "output = Rebin(input, '0,10,20')",
        "Rebin(input, '0,10,20', OutputWorkspace='mine'); output = 'mine'",
        "Rebin(input, '0,10,20', OutputWorkspace=str(input)); output = None",
        "input = Rebin(input, '0,10,20'); del output",
        "from mantid.simpleapi import *\nRebin(str(input), Params='0,10,20', OutputWorkspace=str(output))\nreturn",
    ],
    ids=["by the name given", "object", "another name", "none", "deleted", "early return"],
)
def test_output_may_end_in_every_form_in_the_chunk_stage(step: MakeStep, script: str) -> None:
    live = step(script)
    assert take(live, chunk(*THREE), chunk(*THREE)).y.tolist() == [[2, 2], [0, 2]]
    assert live.names.chunk not in mtd.store


@pytest.mark.parametrize(
    "script",
    [
        "Rebin(input, '0,10,20', OutputWorkspace=output)",
        "output = Rebin(accumulation, '0,10,20')",
        "Rebin('accumulation', '0,10,20', OutputWorkspace='mine'); output = 'mine'",
        "Rebin(input, '0,10,20', OutputWorkspace='result'); output = None",
        "Rebin(mtd['accumulation'], '0,10,20', OutputWorkspace=output)\nreturn 5",
    ],
    ids=["by the name given", "object", "another name", "none but stored", "early return"],
)
def test_output_may_end_in_every_form_in_the_post_stage(step: MakeStep, script: str) -> None:
    found = take(step(post=script), chunk(*THREE), chunk(*THREE))
    assert found.name() == "result"
    assert found.y.tolist() == [[2, 2], [0, 2]]


def test_a_post_script_that_sets_no_output_shows_the_accumulation_anew_each_time_and_warns_once(
    step: MakeStep, caplog: pytest.LogCaptureFixture
) -> None:
    live = step(post="unrelated = Rebin(input, '0,10,20')")
    assert take(live, chunk(*THREE)).y.tolist() == [[2], [1]]
    assert take(live, chunk(*THREE)).y.tolist() == [[4], [2]]
    assert live.warnings == {"post.py set no output; showing the accumulation": 2}
    assert len([r for r in caplog.records if "set no output" in r.message]) == 1


def test_a_table_that_a_post_script_lets_grow_is_its_output_at_every_step(step: MakeStep) -> None:
    script = """
if not mtd.doesExist(output):
    made = CreateEmptyTableWorkspace(OutputWorkspace=output)
    made.addColumn("int", "Events")
mtd[output].addRow([input.getNumberEvents()])
"""
    live = step(post=script)
    for _ in range(3):
        live.load(chunk(*THREE), Method.ADD, lambda _: None)
        live.post(lambda _: None)
    shown = mtd["result"]
    assert isinstance(shown, TableWorkspace)
    assert live.output is shown
    assert shown.column("Events") == [3, 6, 9]
    assert live.warnings == {}


def test_a_table_that_another_script_left_is_no_output(step: MakeStep) -> None:
    live = step(post="output = CreateEmptyTableWorkspace()")
    live.load(chunk(*THREE), Method.ADD, lambda _: None)
    live.post(lambda _: None)
    assert isinstance(live.output, TableWorkspace)
    live.post_stage = step(post="unrelated = Rebin(input, '0,10,20')").post_stage
    live.post(lambda _: None)
    assert isinstance(live.output, EventWorkspace)
    assert sum(live.warnings.values()) == 1


@pytest.mark.parametrize("wrong", ["7", "['a']", "'nowhere'"])
def test_any_other_output_is_an_error_that_says_what_was_found(step: MakeStep, wrong: str) -> None:
    live = step(f"output = {wrong}")
    with pytest.raises(ScriptError, match=r"output is (int|list|str) \(.*expected a workspace"):
        live.load(chunk(*THREE), Method.ADD, lambda _: None)
    assert live.accumulation is None


def test_a_scipp_array_may_be_the_output_of_both_stages(step: MakeStep) -> None:
    pytest.importorskip("scipp")
    live = step(
        proc="import scipp as sc\nbins = sc.arange('tof', 0.0, 21.0, 10.0, unit='us')\n"
        "output = input.to_scipp(events=True).hist(tof=bins)",
        post="output = 2.0 * input.to_scipp()",
        preserve_events=False,
    )
    result = take(live, chunk(*THREE), chunk(*THREE))
    assert y_of(live.accumulation) == [[2.0, 2.0], [0.0, 2.0]]
    assert result.y.tolist() == [[4.0, 4.0], [0.0, 4.0]]
    assert result.e2.tolist() == [[8.0, 8.0], [0.0, 8.0]]
    assert (result.unit, result.y_unit, result.x.tolist()) == ("TOF", "Counts", [0.0, 10.0, 20.0])


def test_a_scipp_array_that_cannot_become_a_workspace_is_the_scripts_error(step: MakeStep) -> None:
    pytest.importorskip("scipp")
    live = step(proc="import scipp as sc\noutput = sc.DataArray(sc.scalar(1.0))")
    with pytest.raises(ScriptError, match=r"^proc.py: output cannot become a workspace: .*single value"):
        live.load(chunk(*THREE), Method.ADD, lambda _: None)


def test_a_table_may_be_the_result(step: MakeStep) -> None:
    live = step(post="output = CreateEmptyTableWorkspace()")
    live.load(chunk(*THREE), Method.ADD, lambda _: None)
    live.post(lambda _: None)
    assert isinstance(mtd["result"], TableWorkspace)


def test_a_group_goes_in_and_out_and_members_are_numbered_after_the_output(step: MakeStep) -> None:
    proc = "output = GroupWorkspaces([input, CloneWorkspace(input, OutputWorkspace='b')])"
    live = step(proc, "output = Rebin(input, '0,10,20')")
    for _ in range(2):
        live.load(chunk(*THREE), Method.ADD, lambda _: None)
        live.post(lambda _: None)
    group = mtd["result"]
    assert isinstance(group, WorkspaceGroup)
    assert group.getNames() == ["result_1", "result_2"]
    assert [y_of(member) for member in group] == [[[2, 2], [0, 2]]] * 2
    assert mtd["result_1"] is group[0]


def test_a_group_of_events_loses_its_events_when_they_are_not_preserved(step: MakeStep) -> None:
    live = step("output = GroupWorkspaces([input, CloneWorkspace(input, OutputWorkspace='b')])", preserve_events=False)
    live.load(chunk(*THREE), Method.ADD, lambda _: None)
    assert isinstance(live.accumulation, WorkspaceGroup)
    assert [type(member) for member in live.accumulation] == [HistogramWorkspace, HistogramWorkspace]


# -- names -------------------------------------------------------------------------------------------------------------


def test_the_chunk_has_a_hidden_name_that_is_input_and_output_and_goes_away(step: MakeStep) -> None:
    live = step(
        "assert input.name() == str(input) == output == '__result_chunk', (input, output)\nassert mtd.doesExist(output)"
    )
    take(live, chunk(*THREE))
    assert mtd.store.names(hidden=True) == ["result"]


@pytest.mark.parametrize("internal", ["accumulation", "accumulation_7f3a", "my_sum"])
def test_the_accumulation_is_found_by_name_alias_and_variable(step: MakeStep, internal: str) -> None:
    post = f"""
assert input is accumulation is mtd['accumulation'] is mtd[{internal!r}]
assert input.name() == {internal!r} and output == 'live'
output = CloneWorkspace('accumulation')
"""
    live = step(post=post, names=Names("live", internal))
    assert take(live, chunk(*THREE), chunk(*THREE)).y.tolist() == [[4], [2]]


def test_a_post_script_may_rename_the_accumulation_away_and_the_sum_goes_on(step: MakeStep) -> None:
    live = step(post="RenameWorkspace('accumulation', 'result')")
    for n in (1, 2, 3):
        assert take(live, chunk(*THREE)).y.tolist() == [[2 * n], [n]]
        assert "accumulation" not in mtd
    assert y_of(live.accumulation) == [[6], [3]]


@pytest.mark.parametrize(
    "damage",
    [
        "Scale(input, 0, OutputWorkspace=str(input))",
        "input *= 0",
        "DeleteWorkspace(input)",
        "mtd.clear()",
        "input.run().integrateProtonCharge()",
    ],
)
def test_a_post_script_cannot_damage_the_accumulation(step: MakeStep, damage: str) -> None:
    live = step(post=f"output = CloneWorkspace(input)\n{damage}")
    take(live, chunk(*THREE), chunk(*THREE))
    assert y_of(live.accumulation) == [[4], [2]]


def test_a_chunk_script_that_keeps_its_input_elsewhere_does_not_share_it(step: MakeStep) -> None:
    live = step("kept = CloneWorkspace(input)\noutput = input\n", "mtd['kept'] *= 0\noutput = CloneWorkspace(input)")
    assert take(live, chunk(*THREE), chunk(*THREE)).y.tolist() == [[4], [2]]


def test_scripts_use_the_store_as_memory_between_chunks(step: MakeStep) -> None:
    proc = """
if mtd.doesExist('previous'):
    assert mtd['previous'].readY(0)[0] == 2
CloneWorkspace(input, OutputWorkspace='previous')
"""
    take(step(proc), chunk(*THREE), chunk(*THREE))
    assert "previous" in mtd


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_failing_chunk_script_leaves_accumulation_and_store_as_they_were(step: MakeStep) -> None:
    live = step("if input.getNumberEvents() == 1: raise ValueError('one is too few')")
    take(live, chunk(*THREE))
    with pytest.raises(ScriptError, match=r"proc.py:1: ValueError: one is too few"):
        live.load(chunk((5, 0)), Method.ADD, lambda _: None)
    assert y_of(live.accumulation) == [[2], [1]]
    assert live.names.chunk not in mtd.store


def test_an_output_that_does_not_fit_the_accumulation_is_the_scripts_error(step: MakeStep) -> None:
    live = step("output = Rebin(input, [0, 10, 20 if input.getNumberEvents() == 3 else 30], PreserveEvents=False)")
    take(live, chunk(*THREE))
    with pytest.raises(
        ScriptError, match=r"proc.py: its output cannot be accumulated: the chunk has 2 spectra of 3 bins"
    ):
        live.load(chunk((5, 0)), Method.ADD, lambda _: None)
    assert y_of(live.accumulation) == [[1, 1], [0, 1]]


def test_a_failing_post_script_leaves_the_last_output_and_heals(step: MakeStep) -> None:
    live = step(post="assert input.readY(0)[0] != 4, 'four'\noutput = CloneWorkspace(input)")
    take(live, chunk(*THREE))
    live.load(chunk(*THREE), Method.ADD, lambda _: None)
    with pytest.raises(ScriptError, match="AssertionError: four"):
        live.post(lambda _: None)
    assert y_of(mtd["result"]) == [[2], [1]]
    assert take(live, chunk(*THREE)).y.tolist() == [[6], [3]]


# -- other stages ------------------------------------------------------------------------------------------------------


def test_a_script_file_is_read_again_at_every_chunk(step: MakeStep, tmp_path: Path) -> None:
    file = tmp_path / "proc.py"
    live = step(ScriptFileStage(file, Surroundings(simpleapi.script_names())))
    file.write_text("output = Rebin(input, '0,10,20')")
    take(live, chunk(*THREE), method=Method.REPLACE)
    file.write_text("output = Rebin(input, '0,20,20')")
    assert take(live, chunk(*THREE), method=Method.REPLACE).y.tolist() == [[2], [1]]
    file.write_text("output = Rebin(input")
    with pytest.raises(ScriptError, match="was never closed"):
        take(live, chunk(*THREE))
    file.unlink()
    with pytest.raises(ScriptError, match="cannot be read"):
        take(live, chunk(*THREE))


def test_an_algorithm_with_properties_may_be_a_stage(step: MakeStep) -> None:
    proc = algorithm_stage(
        "rebin", "Params=0,10,20; preserveEvents=0; InputWorkspace=ignored;outputworkspace=too", mtd.store
    )
    live = step(proc, algorithm_stage("Scale", "Factor=10", mtd.store))
    found = take(live, chunk(*THREE), chunk(*THREE))
    assert isinstance(found, HistogramWorkspace)
    assert found.y.tolist() == [[20, 20], [0, 20]]
    assert y_of(live.accumulation) == [[2, 2], [0, 2]]


def test_an_algorithm_whose_input_has_another_name_gets_it_too(step: MakeStep) -> None:
    live = step(post=algorithm_stage("Plus", "RHSWorkspace=1", mtd.store))
    assert take(live, chunk(*THREE)).y.tolist() == [[3], [2]]


def test_an_algorithm_that_fails_is_a_script_error_in_its_own_name(step: MakeStep) -> None:
    live = step(algorithm_stage("Rebin", "Params=20,10,0", mtd.store))
    with pytest.raises(ScriptError, match=r"^Rebin: Rebin: "):
        take(live, chunk(*THREE))


@pytest.mark.parametrize(
    ("name", "properties", "message"),
    [
        ("Rebim", "", "there is no algorithm 'Rebim'; nearest: Rebin"),
        ("Rebin", "Parms=1", "found 'Parms=1', expected name=value with a property of Rebin: InputWorkspace"),
        ("Rebin", "Params", "found 'Params', expected name=value"),
        ("CreateEmptyTableWorkspace", "", "takes no workspace"),
    ],
)
def test_what_is_wrong_with_an_algorithm_stage_is_said_before_anything_runs(
    step: MakeStep, name: str, properties: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        algorithm_stage(name, properties, mtd.store)


# -- copies ------------------------------------------------------------------------------------------------------------


def test_a_copy_of_the_output_stays_what_it_was_and_its_members_have_names_of_their_own(step: MakeStep) -> None:
    live = step()
    take(live, chunk(*THREE))
    live.keep_copy(7, after_run=False)
    take(live, chunk(*THREE))
    live.keep_copy(0, after_run=True)
    assert y_of(mtd["result_7"]) == [[2], [1]]
    assert y_of(mtd["result_7_post"]) == [[4], [2]]
    live = step("output = GroupWorkspaces([input, CloneWorkspace(input, OutputWorkspace='b')])")
    live.load(chunk(*THREE), Method.ADD, lambda _: None)
    live.post(lambda _: None)
    live.keep_copy(8, after_run=False)
    copy = mtd["result_8"]
    assert isinstance(copy, WorkspaceGroup)
    assert copy.getNames() == ["result_8_1", "result_8_2"]
    assert mtd["result_8_1"] is not mtd["result_1"]


# -- what cannot be done is the failure of a stage, never of the process -----------------------------------------------


@pytest.mark.parametrize(
    ("raised", "why"),
    [
        (MemoryError(), "MemoryError"),
        (TypeError("no such thing"), "TypeError: no such thing"),
        (IndexError("out of range"), "IndexError: out of range"),
    ],
)
def test_whatever_goes_wrong_in_dropping_events_is_a_failure_of_the_chunk_stage(
    step: MakeStep, raised: Exception, why: str
) -> None:
    class TooLarge(EventWorkspace):
        def to_histogram(self) -> HistogramWorkspace:
            raise raised

    live = step(preserve_events=False)
    assert y_of(take(live, chunk(*THREE, edges=[0, 10, 20]))) == [[1, 1], [0, 1]]
    table = EventTable(2)
    table.append([50], [0], [1], [0, 1], [100.0])
    with pytest.raises(ScriptError, match=rf"\(no chunk script\): its output cannot be accumulated: {why}$"):
        live.load(TooLarge.from_table(table, 0, 1, DETECTORS, edges=[0, 10, 20]), Method.ADD, lambda _: None)
    assert y_of(live.accumulation) == [[1, 1], [0, 1]]


def test_the_newest_fifty_warnings_are_kept(step: MakeStep) -> None:
    live = step()
    for i in range(60):
        live.warn(f"warning {i}")
    live.warn("warning 59")
    live.warn("caf\udce9.nxs was not written")
    assert list(live.warnings) == [*(f"warning {i}" for i in range(11, 60)), "caf?.nxs was not written"]
    assert live.warnings["warning 59"] == 2


def test_a_copy_for_which_memory_is_short_goes_to_disk(step: MakeStep, tmp_path: Path) -> None:
    """ODD-8 of the contract: the reference loses it. 3 events of 8 bytes and their pulse need more than 100 bytes."""
    live = step(copies_folder=tmp_path, memory_left=lambda: 100)
    take(live, chunk(*THREE))
    live.keep_copy(7, after_run=False)
    assert "result_7" not in mtd
    found = load_nexus_processed(tmp_path / "result_7.nxs")
    assert y_of(found) == [[2], [1]]
    assert list(live.warnings) == [f"memory is short: copies of result go to {tmp_path}"]
    live.memory_left = lambda: 10**12
    live.keep_copy(8, after_run=False)
    assert y_of(mtd["result_8"]) == [[2], [1]]


def keep(live: LiveStep, *runs: int) -> None:
    """Process a run of three events each and keep a copy of it."""
    for run in runs:
        live.load(chunk(*THREE), Method.REPLACE, lambda _: None)
        live.post(lambda _: None)
        live.keep_copy(run, after_run=False)


def test_copies_give_way_to_newer_ones_the_oldest_first(step: MakeStep, tmp_path: Path) -> None:
    """Three times its size is wanted for a copy; half of it too little is made up for by one copy of the same size."""
    live = step(copies_folder=tmp_path, memory_left=lambda: 10**12)
    keep(live, 7, 8)
    size = held_bytes(mtd["result_8"])
    live.memory_left = lambda: 3 * size - size // 2
    keep(live, 9)
    assert [name for name in mtd.getObjectNames() if name.startswith("result_")] == ["result_8", "result_9"]
    assert [path.name for path in tmp_path.iterdir()] == ["result_7.nxs"]
    assert y_of(load_nexus_processed(tmp_path / "result_7.nxs")) == [[2], [1]]
    assert list(live.warnings) == [f"memory is short: copies of result go to {tmp_path}"]
    keep(live, 8, 10)  # run 8 was kept again, so that of run 9 is the oldest
    assert {path.stem for path in tmp_path.iterdir()} == {"result_7", "result_8", "result_9"}


def test_as_many_copies_go_as_are_wanted_and_those_that_cannot_be_written_are_named(
    step: MakeStep, tmp_path: Path
) -> None:
    live = step(copies_folder=tmp_path)
    keep(live, 7, 8, 9)
    size = held_bytes(mtd["result_7"])
    (tmp_path / "result_8.nxs").mkdir()
    assert live.shed_copies(0) == live.shed_copies(-5) == 0
    assert live.shed_copies(size + 1) == 2 * size
    assert [name for name in mtd.getObjectNames() if name.startswith("result_")] == ["result_9"]
    assert any(text.startswith("no copy of result was kept as result_8: ") for text in live.warnings)
    assert live.shed_copies(10 * size) == size
    assert live.shed_copies(1) == 0


def test_a_copy_of_a_group_goes_with_its_members_and_what_scripts_made_of_copies_stays(
    step: MakeStep, tmp_path: Path
) -> None:
    live = step("output = GroupWorkspaces([input, CloneWorkspace(input, OutputWorkspace='b')])", copies_folder=tmp_path)
    keep(live, 7, 8, 9)
    mtd.remove("result_7")
    mtd.addOrReplace("result_8", TableWorkspace())
    assert live.shed_copies(1) > 0
    assert isinstance(mtd["result_8"], TableWorkspace)
    assert not [name for name in mtd.getObjectNames() if name.startswith("result_9")]
    found = load_nexus_processed(tmp_path / "result_9.nxs")
    assert isinstance(found, WorkspaceGroup)
    assert [y_of(member) for member in found.members] == [[[2], [1]]] * 2


@pytest.mark.parametrize("method", [Method.ADD, Method.REPLACE])
def test_detectors_that_somebody_has_moved_stay_where_they_are(step: MakeStep, method: Method) -> None:
    live = step()
    shown = take(live, chunk(*THREE))
    moved = Detectors([1, 2], l1=5.0, l2=[1.0, 2.0], two_theta=[0.1, 0.2])
    mtd["result"] = shown.replaced(detectors=moved)
    for _ in range(2):
        found = take(live, chunk(*THREE), method=method)
        assert found.detectors is moved
    # but not those of another instrument
    table = EventTable(1)
    table.append([50], [0], [1], [0, 1], [1.0])
    other = take(live, EventWorkspace.from_table(table, 0, 1, Detectors([9])), method=Method.REPLACE)
    assert other.detectors.ids.tolist() == [9]


def test_the_stream_may_move_detectors_as_long_as_nobody_else_does(step: MakeStep) -> None:
    live = step()
    take(live, chunk(*THREE))
    moved = chunk(*THREE).replaced(detectors=Detectors([1, 2], l1=7.0, l2=[1.0, 2.0], two_theta=[0.1, 0.2]))
    assert take(live, moved, method=Method.REPLACE).detectors.l1 == 7.0
