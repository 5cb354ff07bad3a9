"""The command line's edge."""
