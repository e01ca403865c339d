"""`tollstream rules show`: see tollstream/publishing/show.py."""

from tollstream.publishing.kind import RULES_KIND
from tollstream.publishing.show import show_command

command = show_command(RULES_KIND)
