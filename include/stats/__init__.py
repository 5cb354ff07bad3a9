"""The statistics of the gates: numpy and scipy in, numbers out."""
