"""The network of whisper.bin, its text and its training."""
