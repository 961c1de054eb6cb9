"""Every setting of the project, in one place: ``dropout-risk.toml`` and ``DROPOUT_RISK_…``.

A setting ``capacity_share`` of the section ``[list]`` is also the environment variable
``DROPOUT_RISK_LIST__CAPACITY_SHARE``; the environment wins over the file. Several values are written
``DROPOUT_RISK_LABELS__COMPONENTS=dropped_out,long_absence`` or as JSON.
"""

from risk_model.settings.kinds import Section, size_in_bytes
from risk_model.settings.loading import Settings, load_settings
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

__all__ = [
    "AidSettings",
    "CareSettings",
    "ComparisonSettings",
    "FairnessSettings",
    "LabelSettings",
    "LakeSettings",
    "ListSettings",
    "LogSettings",
    "MetricsSettings",
    "MonitoringSettings",
    "PublicationSettings",
    "QualitySettings",
    "RegisterSettings",
    "Section",
    "ServiceSettings",
    "Settings",
    "TrainingSettings",
    "load_settings",
    "size_in_bytes",
]
