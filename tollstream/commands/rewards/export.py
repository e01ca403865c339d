"""`tollstream rewards export`: see tollstream/payouts/verbs.py."""

from tollstream.payouts.numbering import REWARD
from tollstream.payouts.verbs import export_command

command = export_command(REWARD)
