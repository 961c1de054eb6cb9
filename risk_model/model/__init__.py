"""The risk model as a bundle of plain files: written once, verified before any parser opens it.

``bundle`` scores and explains, ``loading`` verifies and reads, ``storing`` writes, ``manifest`` says
what a bundle is made of, ``platt`` calibrates, ``trees`` and ``logistic`` are the two kinds of model,
``tabled`` looks trees up instead of walking them and ``exactness`` asks whether that is the same,
``reference`` keeps what training looked like, ``pyfunc`` is MLflow's way in. Nothing is imported here:
LightGBM costs more than a second.
"""
