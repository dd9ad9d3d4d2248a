"""The starter chat model: generated data, network, training and GGUF export."""
