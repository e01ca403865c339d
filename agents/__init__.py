"""The stream: Faust workers that decode, admit, rate, window and flush."""

import os

__distribution__ = "tollstream"

# A worker has one core, and its neighbours have theirs: more threads for its columns would only wait for each other
# (17 % more CPU per event, measured on two cores). Polars reads this when it is first imported, so it stands here.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
