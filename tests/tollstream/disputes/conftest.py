"""The stores of tests/support/settlement_engine.py."""

from tests.support.settlement_engine import engine, settlement_database, settlement_schema, store

__all__ = ["engine", "settlement_database", "settlement_schema", "store"]
