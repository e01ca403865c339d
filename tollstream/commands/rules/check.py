"""`tollstream rules check`: see tollstream/publishing/check.py."""

from tollstream.publishing.check import check_command
from tollstream.publishing.kind import RULES_KIND

command = check_command(RULES_KIND)
