"""The console: rollouts to look at, inside Airflow and behind its login; it changes nothing."""
