"""Stores of billable rows: the contract, ClickHouse, and an in-memory stand-in."""

__distribution__ = "tollstream"
