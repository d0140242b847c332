def to_onnx():
    """X."""
