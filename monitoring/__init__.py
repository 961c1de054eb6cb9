"""Quality, drift, performance, fairness and care over time.

The room is empty so far: the pure quality rules that hold a school back tonight live in
``risk_model.quality``; the report about them will live here.
"""
