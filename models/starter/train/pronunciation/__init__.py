"""The network of pronunciation.onnx: Whisper's encoder with a head for phonemes and ratings; its training and export."""
