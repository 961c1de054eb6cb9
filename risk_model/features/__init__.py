"""What the model sees of a pupil: features declared once and computed in DuckDB as known on a day.

Read :mod:`~risk_model.features.feature` for what a declaration is, one family (say
:mod:`~risk_model.features.distance`) for how it looks, :mod:`~risk_model.features.snapshot` for the
one path that training, the nightly run and every explanation share.
"""
