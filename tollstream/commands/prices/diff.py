"""`tollstream prices diff`: see tollstream/publishing/diff.py."""

from tollstream.publishing.diff import diff_command
from tollstream.publishing.kind import PRICES_KIND

command = diff_command(PRICES_KIND)
