"""`tollstream payouts export`: see tollstream/payouts/verbs.py."""

from tollstream.payouts.numbering import PAYOUT
from tollstream.payouts.verbs import export_command

command = export_command(PAYOUT)
