"""Importers: a published price list, parsed, in; entries for a price book, and whatever is left out, named, out.

Pure: the caller reads the list, numbers parsed as `Decimal` from their text (`json.loads(text, parse_float=Decimal)`).
"""
