"""All sections, read from ``dropout-risk.toml`` and the environment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from risk_model.errors import UsageError
from risk_model.settings.kinds import Memory, Section
from risk_model.settings.model import FairnessSettings, LabelSettings, ListSettings, TrainingSettings
from risk_model.settings.monitoring import ComparisonSettings, MonitoringSettings
from risk_model.settings.registers import AidSettings, LakeSettings, QualitySettings, RegisterSettings
from risk_model.settings.serving import (
    CareSettings,
    LogSettings,
    MetricsSettings,
    PublicationSettings,
    ServiceSettings,
)

PREFIX = "DROPOUT_RISK_"
NO_SETTINGS = frozenset({"DROPOUT_RISK_HOME", "DROPOUT_RISK_CONFIG", "DROPOUT_RISK_PROVINCE_KEY_FILE"})
"""Variables with our prefix that are options of the command, not settings."""


class Environment(EnvSettingsSource):
    """The variables ``DROPOUT_RISK_…``; several values are JSON or separated by commas."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            decoded = json.loads(value)
        except ValueError:
            decoded = None
        if isinstance(decoded, list | dict) or field is None or get_origin(field.annotation) is not tuple:
            return super().decode_complex_value(field_name, field, value)
        return [part.strip() for part in value.split(",")]


class Settings(BaseSettings):
    """All sections; build it with :func:`load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    list: ListSettings = ListSettings()
    labels: LabelSettings = LabelSettings()
    training: TrainingSettings = TrainingSettings()
    fairness: FairnessSettings = FairnessSettings()
    quality: QualitySettings = QualitySettings()
    aid: AidSettings = AidSettings()
    registers: RegisterSettings = RegisterSettings()
    lake: LakeSettings = LakeSettings()
    publication: PublicationSettings = PublicationSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    comparison: ComparisonSettings = ComparisonSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    service: ServiceSettings = ServiceSettings()
    care: CareSettings = CareSettings()
    database_url: str | None = None
    """Service database; none = SQLite in the home's ``data/service.db``."""
    tracking_uri: str | None = None
    """MLflow tracking; none = SQLite in the home's ``mlruns/mlflow.db``."""
    memory_limit: Memory = "4GB"
    """What DuckDB may use before it spills to disk."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of precedence: call, environment, file."""
        return init_settings, Environment(settings_cls), TomlConfigSettingsSource(settings_cls)


def load_settings(config: Path) -> Settings:
    """Read ``config`` (it may be absent: the defaults hold) and the environment.

    Raises
    ------
    UsageError
        A key or a variable is unknown, or a value out of its range; the message names the variable, or
        the file's section and key.
    """
    _demand_known_variables()

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    try:
        # Plain settings, for they are sent to other processes.
        return Settings.model_validate(FromFile().model_dump())
    except ValidationError as error:
        first = error.errors()[0]
        where = _variable(first["loc"]) or f"{config.name}: {'.'.join(str(part) for part in first['loc'])}"
        raise UsageError(
            f"{where}: {first['msg'].removeprefix('Value error, ')}. Correct it and run again."
        ) from None
    except SettingsError:  # only the environment is parsed value by value
        raise UsageError(f"{_unreadable_variable()} cannot be read. Correct it and run again.") from None
    except ValueError as error:
        raise UsageError(f"{config.name} cannot be read: {error}. Correct it and run again.") from None


def _variables() -> dict[str, str]:
    """Our variables as they are written, by their names in capitals: their case does not matter."""
    return {
        name.upper(): name
        for name in os.environ
        if name.upper().startswith(PREFIX) and name.upper() not in NO_SETTINGS
    }


def _demand_known_variables() -> None:
    for capitals, written in sorted(_variables().items()):
        name, nested, key = capitals.removeprefix(PREFIX).lower().partition("__")
        field = Settings.model_fields.get(name)
        section = None if field is None else field.annotation
        keys = section.model_fields if isinstance(section, type) and issubclass(section, Section) else {}
        if field is None or (nested and key not in keys):
            raise UsageError(
                f"The environment variable {written} is no setting. Correct its name or unset it."
            )


def _variable(place: tuple[int | str, ...]) -> str | None:
    """The environment variable that set the value at ``place``; null: it came from the file."""
    names = [str(part).upper() for part in place[:2]]
    variables = _variables()
    return variables.get(PREFIX + "__".join(names)) or variables.get(PREFIX + names[0]) if names else None


def _unreadable_variable() -> str:
    """Of the variables that are no JSON though their setting needs it, the first."""
    for capitals, written in sorted(_variables().items()):
        name, nested, _ = capitals.removeprefix(PREFIX).lower().partition("__")
        section = Settings.model_fields[name].annotation
        if not nested and isinstance(section, type) and issubclass(section, Section):
            return f"{written} (the whole section {name}, as JSON)"
    return "An environment variable"
