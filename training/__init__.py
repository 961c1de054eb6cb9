"""Snapshots, temporal splits, baselines, fit, calibration, gate, and the simulated county."""
