"""`tollstream rewards show`: see tollstream/payouts/verbs.py."""

from tollstream.payouts.numbering import REWARD
from tollstream.payouts.verbs import show_command

command = show_command(REWARD)
