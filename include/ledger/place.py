"""Where Airflow says that the ledger lies: the names of its variables, for tasks and console alike."""

LEDGER_VARIABLE = "penumbra_ledger"  # s3://bucket/prefix, or a folder
LEDGER_CONNECTION_VARIABLE = "penumbra_ledger_connection"  # the AWS connection that reaches it
LEDGER_CONNECTION = "aws_default"  # where nobody named another
