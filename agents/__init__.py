"""The stream: Faust workers that decode, admit, rate, window and flush."""

__distribution__ = "tollstream"
