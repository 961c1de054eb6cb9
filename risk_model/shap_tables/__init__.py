"""Exact SHAP values of a LightGBM model for everybody, at the speed of prediction.

>>> import lightgbm, numpy as np
>>> x = np.random.default_rng(1).normal(size=(500, 3))
>>> data = lightgbm.Dataset(x, x[:, 0] * x[:, 1] > 0)
>>> booster = lightgbm.train({"objective": "binary", "max_depth": 4, "verbose": -1}, data, 20)
>>> tables = PatternTables.of(booster)
>>> base, contributions = tables.explain(x)
>>> bool(np.allclose(contributions, booster.predict(x, pred_contrib=True)[:, :-1], rtol=0, atol=1e-12))
True
>>> bool(np.allclose(base + contributions.sum(axis=1), tables.margin(x)))
True

**What is computed.** The path-dependent SHAP values of Lundberg et al. (From local explanations to global
understanding with explainable AI for trees, 2020): what ``shap.TreeExplainer`` and ``pred_contrib`` give.
The game is played per tree: of a feature not in the coalition, each way is taken with the share of the
training rows that took it.

**Why tables suffice.**

1. Shapley values are linear in the game, so the values of the model are the sums over all leaves of the
   values of "this leaf alone", and the expected margins add up to the base.
2. A leaf sees a row only through one bit per feature on its path: does the row pass all splits on it? Its
   values are a closed formula of those bits (:mod:`risk_model.shap_tables.paths`), which repeated features
   merely make shorter.
3. The bits are functions of the row's answers to the splits on the path. So for a *group* of leaves all
   contributions are functions of the *pattern*, the answers to all splits on the way to any of them: one
   table per feature with as many entries as there are patterns. Answers to splits on one feature depend on
   each other (below 3 is below 5), so a feature with three thresholds has four codes, not eight, and the
   pattern is a mixed-radix number of codes.
4. The answers to all splits on a feature are constant on each *cell* between neighbouring edges
   (:mod:`risk_model.shap_tables.cells`), so after one search per value everything is whole numbers and
   exact: nulls, zeros that count as missing, default directions and categories were settled when the
   cells were routed.
5. Every leaf is in one group, whatever the grouping, so the sums are the SHAP values, and their total and
   the base are the margin: prediction is free. In floating point, sums differ from LightGBM's by the order
   of addition, some 1e-14.

**Why it is fast.** Leaves are packed into groups of at most 512 patterns with as few lookups as possible
(:mod:`risk_model.shap_tables.packing`): the piece "path to a node and the subtree below it" of a deep tree,
or all shallow trees on the same few features. 600 trees of depth 2 become some 400 lookups a row, where
predicting alone takes 1,200 branches nobody can foresee (:mod:`risk_model.shap_tables.kernel`).

``docs/measurements.md`` has the figures. What does not fit raises :class:`DoesNotFitError`.
"""

from risk_model.shap_tables.reading import DoesNotFitError
from risk_model.shap_tables.storing import TablesError, from_bytes, to_bytes
from risk_model.shap_tables.tables import Answer, PatternTables

__all__ = ["Answer", "DoesNotFitError", "PatternTables", "TablesError", "from_bytes", "to_bytes"]
