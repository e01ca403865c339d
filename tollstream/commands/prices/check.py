"""`tollstream prices check`: see tollstream/publishing/check.py."""

from tollstream.publishing.check import check_command
from tollstream.publishing.kind import PRICES_KIND

command = check_command(PRICES_KIND)
