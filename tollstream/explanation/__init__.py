"""Explain this cent: what an event or a line comes to, from the store to the last digit, as text and as JSON."""
