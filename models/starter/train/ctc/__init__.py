"""The network of pronunciation.onnx, and its export to ONNX."""
