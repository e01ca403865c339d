"""`tollstream rules diff`: see tollstream/publishing/diff.py."""

from tollstream.publishing.diff import diff_command
from tollstream.publishing.kind import RULES_KIND

command = diff_command(RULES_KIND)
