"""`tollstream payouts release`: see tollstream/payouts/verbs.py."""

from tollstream.payouts.numbering import PAYOUT
from tollstream.payouts.verbs import release_command

command = release_command(PAYOUT)
