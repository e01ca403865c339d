"""Alerts of passed thresholds: which (`levels`), what was published (`record`), how (`log`), and when (`watcher`)."""
