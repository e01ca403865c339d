"""`tollstream rules publish`: see tollstream/publishing/publish.py."""

from tollstream.publishing.kind import RULES_KIND
from tollstream.publishing.publish import publish_command

command = publish_command(RULES_KIND)
