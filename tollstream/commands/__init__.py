"""One module per verb, each with a click command named `command`; a verb without its module is not offered."""
