"""`tollstream prices show`: see tollstream/publishing/show.py."""

from tollstream.publishing.kind import PRICES_KIND
from tollstream.publishing.show import show_command

command = show_command(PRICES_KIND)
