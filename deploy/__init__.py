"""What runs the pipeline: the embedded stack, and containers."""

__distribution__ = "tollstream"
