"""`tollstream rewards mark-paid`: see tollstream/payouts/verbs.py."""

from tollstream.payouts.numbering import REWARD
from tollstream.payouts.verbs import mark_paid_command

command = mark_paid_command(REWARD)
