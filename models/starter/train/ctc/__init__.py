"""The network of pronunciation.onnx, and its form as ONNX."""
