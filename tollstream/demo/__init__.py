"""The demonstration: a day of traffic, a crash in the middle, and money that adds up afterwards."""
