"""Sending recorded requests again, on time, with every request accounted for."""
