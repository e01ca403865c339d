"""litellm's price map (`model_prices_and_context_window.json`) as entries of a price book.

The map says what a unit of many things costs; litellm's cost functions say which of these prices a request meets. The
modules here follow those functions, so that usage costs here what litellm would say it costs; docs/importers.md lists
where that is not so, and why. Nothing of litellm is imported: its map is a JSON file, its rules are written down here.
"""

from billing.prices.importers.litellm.assembly import import_litellm

__all__ = ["import_litellm"]
