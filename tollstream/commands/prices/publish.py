"""`tollstream prices publish`: see tollstream/publishing/publish.py."""

from tollstream.publishing.kind import PRICES_KIND
from tollstream.publishing.publish import publish_command

command = publish_command(PRICES_KIND)
