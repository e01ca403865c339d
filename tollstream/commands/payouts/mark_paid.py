"""`tollstream payouts mark-paid`: see tollstream/payouts/verbs.py."""

from tollstream.payouts.numbering import PAYOUT
from tollstream.payouts.verbs import mark_paid_command

command = mark_paid_command(PAYOUT)
