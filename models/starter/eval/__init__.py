"""Measures the starter models on held-out data, through a running server: `make models-eval`."""
