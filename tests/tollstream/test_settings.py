"""Settings: who wins, what a wrong value is answered with, and a page that is never stale."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tollstream import settings_page
from tollstream.errors import SettingsError
from tollstream.settings import Settings, load_settings, unknown_variables

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("TOLLSTREAM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tollstream.toml").write_text("partitions = 2\nmetrics_port = 2\ntopic_epoch = 2\n")
    monkeypatch.setenv("TOLLSTREAM_METRICS_PORT", "3")
    monkeypatch.setenv("TOLLSTREAM_TOPIC_EPOCH", "3")
    settings = load_settings(topic_epoch=4, window_seconds=None)
    assert (settings.partitions, settings.metrics_port, settings.topic_epoch) == (2, 3, 4)
    assert settings.window_seconds == 3600


def test_the_file_may_stand_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("partitions = 5\n")
    monkeypatch.setenv("TOLLSTREAM_CONFIG", str(tmp_path / "other.toml"))
    assert load_settings().partitions == 5


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("partition = 4", "partition in tollstream.toml is no setting; did you mean partitions?"),
        ("colour = 4", "colour in tollstream.toml is no setting; the settings are: kafka_bootstrap_servers, "),
        ("partitions = [", "tollstream.toml is not TOML: "),
        ("window_seconds = 7000", "window_seconds = 7000 (from tollstream.toml): windows are UTC-aligned: 7000 does"),
        ("dedup_horizon_seconds = 3600\nwindow_seconds = 86400", "dedup_horizon_seconds must not be less than"),
        ("kafka_bootstrap_servers = 'here'", "kafka_bootstrap_servers = 'here' (from tollstream.toml): 'here' is not"),
    ],
)
def test_a_wrong_file_is_answered_with_a_sentence(text: str, sentence: str) -> None:
    Path("tollstream.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(sentence)


def test_a_wrong_variable_is_named_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLSTREAM_PARTITIONS", "many")
    with pytest.raises(SettingsError, match=r"partitions = 'many' \(from TOLLSTREAM_PARTITIONS\): .*default is 8"):
        load_settings()


def test_a_missing_file_that_was_named_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOLLSTREAM_CONFIG", str(tmp_path / "gone.toml"))
    with pytest.raises(SettingsError, match=r"gone\.toml cannot be read: No such file"):
        load_settings()


def test_a_wrong_password_is_not_shown() -> None:
    Path("tollstream.toml").write_text("clickhouse_password = ['hunter2']")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    assert "clickhouse_password" in str(caught.value)


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValidationError):
        load_settings().partitions = 3


def test_a_stray_variable_is_reported_with_its_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLSTREAM_METRIC_PORT", "1")
    assert unknown_variables() == ["TOLLSTREAM_METRIC_PORT is no setting; did you mean TOLLSTREAM_METRICS_PORT?"]


def test_the_settings_page_is_current() -> None:
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == settings_page.page(), "run `make settings`"


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
