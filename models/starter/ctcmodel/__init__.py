"""What makes pronunciation.onnx: the network as an ONNX graph, and the vocabulary."""
