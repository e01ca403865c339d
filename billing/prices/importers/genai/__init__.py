"""genai-prices (`data.json`, or the data module of its package) as entries of a price book.

Its prices are exact decimals for so many units. A class of usage without a price of its own counts as the wider class
that has one, which is what its prices derive from here, too; our classes are disjoint, theirs are parts of each other.
"""

from billing.prices.importers.genai.assembly import import_genai_prices
from billing.prices.importers.genai.module import document_of_module

__all__ = ["document_of_module", "import_genai_prices"]
