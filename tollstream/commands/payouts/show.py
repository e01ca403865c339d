"""`tollstream payouts show`: see tollstream/payouts/verbs.py."""

from tollstream.payouts.numbering import PAYOUT
from tollstream.payouts.verbs import show_command

command = show_command(PAYOUT)
