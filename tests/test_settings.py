"""Settings from the file and from the environment, and what is said when one of them is wrong."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from risk_model.errors import UsageError
from risk_model.settings import Settings, load_settings


def settings(folder: Path, monkeypatch: pytest.MonkeyPatch, toml: str = "", **variables: str) -> Settings:
    config = folder / "dropout-risk.toml"
    config.write_text(toml)
    for name, value in variables.items():
        monkeypatch.setenv(f"DROPOUT_RISK_{name}", value)
    return load_settings(config)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path, monkeypatch):
    toml = "[list]\ncapacity_share = 0.1\nreasons = 2\n"
    chosen = settings(tmp_path, monkeypatch, toml, LIST__CAPACITY_SHARE="0.2").list
    assert (chosen.capacity_share, chosen.reasons, chosen.capacity_per_class) == (0.2, 2, 5)


@pytest.mark.parametrize(
    ("written", "components"),
    [
        ("dropped_out,long_absence", ("dropped_out", "long_absence")),
        ("dropped_out, long_absence", ("dropped_out", "long_absence")),
        ("dropped_out", ("dropped_out",)),
        ('["dropped_out", "non_return"]', ("dropped_out", "non_return")),
    ],
)
def test_several_values_are_separated_by_commas_or_written_as_json(
    tmp_path, monkeypatch, written, components
):
    assert (
        settings(tmp_path, monkeypatch, LABELS__COMPONENTS=written, LABELS__GRADES="7").labels.components
        == components
    )
    assert settings(tmp_path, monkeypatch, LABELS__GRADES="7").labels.grades == (7,)
    assert settings(tmp_path, monkeypatch, LABELS__GRADES="7,8").labels.grades == (7, 8)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIST__REASONS", "99"),
        ("LABELS__COMPONENTS", "dropped_out,bored"),
        ("MEMORY_LIMIT", "lots"),
        ("LABELS", "nothing"),
        ("LIST", '{"reasons": 99}'),
    ],
)
def test_a_wrong_value_in_the_environment_names_its_variable(tmp_path, monkeypatch, name, value):
    with pytest.raises(UsageError, match=f"^DROPOUT_RISK_{name}\\b") as error:
        settings(tmp_path, monkeypatch, **{name: value})
    assert "dropout-risk.toml" not in str(error.value)


def test_a_wrong_value_in_the_file_names_the_file_whatever_else_is_in_the_environment(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"^dropout-risk\.toml: list\.reasons: "):
        settings(tmp_path, monkeypatch, "[list]\nreasons = 99\n", LIST__SALT="sea")


@pytest.mark.parametrize("name", ["LISST__REASONS", "LIST__REASON", "MEMORY", "MEMORY_LIMIT__GB", "LIST__"])
def test_a_variable_that_is_no_setting_is_refused_by_name(tmp_path, monkeypatch, name):
    with pytest.raises(UsageError, match=f"DROPOUT_RISK_{name} is no setting"):
        settings(tmp_path, monkeypatch, **{name: "4"})


def test_variables_of_the_commands_options_are_no_settings_and_no_error(tmp_path, monkeypatch):
    names = ("HOME", "CONFIG", "PROVINCE_KEY_FILE")
    assert settings(tmp_path, monkeypatch, **dict.fromkeys(names, "somewhere")).list.reasons == 4


@pytest.mark.parametrize("size", ["lots", "4", "-1GB", "0GB", "4 bananas"])
def test_a_memory_limit_that_is_no_size_is_a_wrong_call(tmp_path, monkeypatch, size):
    with pytest.raises(UsageError, match=r"memory_limit: .* is no size; write it as 4GB"):
        settings(tmp_path, monkeypatch, f'memory_limit = "{size}"')


@pytest.mark.parametrize("size", ["4GB", "512MiB", "1.5 tb"])
def test_sizes_are_understood_as_duckdb_writes_them(tmp_path, monkeypatch, size):
    import duckdb

    chosen = settings(tmp_path, monkeypatch, f'memory_limit = "{size}"').memory_limit
    duckdb.connect(config={"memory_limit": chosen}).close()


def test_settings_from_a_file_can_be_sent_to_another_process(tmp_path):
    (tmp_path / "c.toml").write_text("[list]\ncapacity_per_class = 7\n")
    settings = load_settings(tmp_path / "c.toml")
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert settings.list.capacity_per_class == 7
