"""`tollstream rules history`: see tollstream/publishing/history.py."""

from tollstream.publishing.history import history_command
from tollstream.publishing.kind import RULES_KIND

command = history_command(RULES_KIND)
