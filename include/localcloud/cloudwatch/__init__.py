"""CloudWatch metrics: exact samples in memory, and the operations that read them."""
