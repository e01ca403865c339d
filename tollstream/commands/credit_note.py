"""`tollstream credit-note`: see tollstream/disputes/verbs.py."""

from tollstream.disputes.verbs import note_command

command = note_command("credit_note")
