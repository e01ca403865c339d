"""The console: one small web page for people, rendered here, that shows each token what is its own and no more."""
