import pytest

from livereduce.status import Stage
from livereduce.supervisor.deaths import Ban, Death, DeathRules, LookCloser, Place, Skip

AT_100, AT_200, AT_300 = Place(1, 100), Place(1, 200), Place(1, 300)


def in_script(position: Place, passed: Place | None = None, digest: str = "a", stage: Stage = Stage.PROC) -> Death:
    return Death(stage, position, digest=digest, passed=passed)


@pytest.mark.parametrize("stage", [Stage.PROC, Stage.POST])
def test_a_script_in_which_the_process_died_twice_is_not_run_again(stage: Stage) -> None:
    rules = DeathRules()
    assert rules.judge(in_script(AT_100, stage=stage)) is None
    assert rules.judge(in_script(AT_100, stage=stage)) == Ban(stage, "a")


def test_another_script_begins_with_a_clean_sheet() -> None:
    rules = DeathRules()
    assert rules.judge(in_script(AT_100, digest="a")) is None
    assert rules.judge(in_script(AT_100, digest="b")) is None
    assert rules.judge(in_script(AT_100, digest="b")) == Ban(Stage.PROC, "b")


def test_deaths_in_different_stages_are_not_added_up() -> None:
    rules = DeathRules()
    assert rules.judge(in_script(AT_100, stage=Stage.PROC)) is None
    assert rules.judge(in_script(AT_100, stage=Stage.POST)) is None


def test_a_script_that_got_past_the_place_of_its_first_death_has_one_death_again() -> None:
    rules = DeathRules()
    assert rules.judge(in_script(AT_200)) is None
    assert rules.judge(in_script(AT_300, passed=AT_200)) is None
    assert rules.judge(in_script(AT_300)) == Ban(Stage.PROC, "a")


def test_running_through_what_it_had_run_through_before_is_no_excuse() -> None:
    """Append and Replace read a run again chunk by chunk: all before the fatal one succeed again."""
    rules = DeathRules()
    assert rules.judge(in_script(AT_200, passed=AT_100)) is None
    assert rules.judge(in_script(AT_200, passed=AT_100)) == Ban(Stage.PROC, "a")


def test_what_a_person_asks_for_is_tried_afresh() -> None:
    rules = DeathRules()
    rules.judge(in_script(AT_100))
    rules.forget()
    assert rules.judge(in_script(AT_100)) is None


@pytest.mark.parametrize("stage", [Stage.EXTRACT, Stage.REPROCESSING])
def test_a_place_at_which_decoding_killed_the_process_is_read_closer_then_its_record_is_skipped(stage: Stage) -> None:
    rules = DeathRules()
    assert rules.judge(Death(stage, AT_100, decoding=AT_300)) == LookCloser(AT_300)
    assert rules.judge(Death(stage, AT_100, decoding=AT_200, exact=True)) == Skip(AT_200)


@pytest.mark.parametrize("exact", [False, True])
def test_no_record_is_skipped_because_somebody_killed_the_process(exact: bool) -> None:
    death = Death(Stage.EXTRACT, AT_100, decoding=AT_200, exact=exact, by_someone_else=True)
    assert DeathRules().judge(death) is None


@pytest.mark.parametrize("stage", [Stage.IDLE, Stage.COMPILING, Stage.BUILD, Stage.SNAPSHOT, Stage.ACCUMULATE])
def test_deaths_elsewhere_are_nobodys_fault(stage: Stage) -> None:
    rules = DeathRules()
    assert [rules.judge(Death(stage, AT_100, decoding=AT_200, exact=True)) for _ in range(3)] == [None] * 3
