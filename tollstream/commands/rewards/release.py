"""`tollstream rewards release`: see tollstream/payouts/verbs.py."""

from tollstream.payouts.numbering import REWARD
from tollstream.payouts.verbs import release_command

command = release_command(REWARD)
