"""The command line and its settings."""

__distribution__ = "tollstream"
