"""Network, text and training of whisper.bin."""
