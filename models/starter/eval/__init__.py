"""Measures the starter models on held-out data with a running server. Run it with `make models-eval`."""
