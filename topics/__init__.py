"""The contract of usage events: types, encodings, meters and topics."""

__distribution__ = "tollstream"
