"""Quality, drift, performance, fairness and care over time: a folder per question, one report."""
