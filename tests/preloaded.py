"""All that a night and a training import, for the process that real commands are forked from.

Importing is two thirds of ``models list`` and a fifth of a training, and a kill in it would test nothing.
"""

from importlib import import_module

from risk_model.registry import _mlflow

_mlflow()  # as the command has it: without telemetry
for name in (
    "mlflow.store.tracking.sqlalchemy_store",
    "monitoring.commands",
    "monitoring.night",
    "risk_model.command.main",
    "risk_model.command.nightly",
    "risk_model.features.exam_kernels",
    "risk_model.features.mark_kernels",
    "risk_model.features.nearest_kernel",
    "risk_model.features.snapshot",
    "risk_model.lake.reading",
    "risk_model.metrics",
    "risk_model.registers.importing",
    "risk_model.timeline.diary_kernels",
    "serving.commands",
    "serving.directory.refreshing",
    "serving.nightly",
    "serving.parts",
    "training.commands",
    "training.model_commands",
    "training.report",
    "training.train",
):
    import_module(name)
