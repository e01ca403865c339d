"""The verbs of publication: check, diff, publish, show, history. One implementation each, for both kinds of books.

`kind.py` says what prices and rules do not have in common; a verb is a function from a kind to a command.
"""
