"""Pure money: price books, surcharge rules, rating and windows; no I/O, no clock."""

__distribution__ = "tollstream"
