"""`tollstream prices history`: see tollstream/publishing/history.py."""

from tollstream.publishing.history import history_command
from tollstream.publishing.kind import PRICES_KIND

command = history_command(PRICES_KIND)
