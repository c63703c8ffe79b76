from pathlib import Path

import pytest

from livereduce.config import Config, from_mapping
from livereduce.errors import ConfigError
from livereduce.supervisor.configuration import WatchedConfig


def config_of(tmp_path: Path, **more: object) -> Config:
    folders = {key: str(tmp_path / key) for key in ("script_dir", "state_dir", "runtime_dir")}
    return from_mapping({"instrument": "POWGEN"} | folders | more)


class Loading:
    """What reading the file gives next."""

    def __init__(self, result: Config | ConfigError) -> None:
        self.result = result

    def __call__(self) -> Config:
        if isinstance(self.result, ConfigError):
            raise self.result
        return self.result


@pytest.fixture
def present(tmp_path: Path) -> Config:
    return config_of(tmp_path)


def look(file: WatchedConfig) -> Config | None:
    file.fetch()
    return file.look()


def watched(tmp_path: Path, present: Config) -> tuple[WatchedConfig, Loading, Path]:
    path = tmp_path / "livereduce.conf"
    path.write_text("{}")
    loading = Loading(present)
    return WatchedConfig(path, present, loading), loading, path


def test_a_changed_valid_file_is_told_once_it_has_settled(tmp_path: Path, present: Config) -> None:
    file, loading, path = watched(tmp_path, present)
    loading.result = config_of(tmp_path, update_every=5)
    assert look(file) is None
    path.write_text('{"update_every": 5}')
    assert [look(file) for _ in range(3)] == [None, loading.result, None]


def test_a_change_that_changes_no_setting_is_no_change(tmp_path: Path, present: Config) -> None:
    file, loading, path = watched(tmp_path, present)
    loading.result = present.model_copy(update={"warnings": ("a new unknown key",)})
    path.write_text('{"unknown": 1}')
    assert [look(file) for _ in range(3)] == [None] * 3


def test_a_broken_edit_is_refused_with_everything_wrong_until_the_next_good_one(
    tmp_path: Path, present: Config
) -> None:
    file, loading, path = watched(tmp_path, present)
    loading.result = ConfigError(["update_every: found -1", "accum_method: found 3"])
    path.write_text("broken")
    assert [look(file) for _ in range(3)] == [None] * 3
    assert [problem.rpartition(": ")[2] for problem in file.refused] == ["found -1", "found 3"]
    loading.result = present
    path.write_text("{}  ")
    assert [look(file) for _ in range(3)] == [None] * 3
    assert not file.refused


def test_without_a_file_there_is_nothing_to_look_at(present: Config) -> None:
    assert look(WatchedConfig(None, present, Loading(present))) is None
