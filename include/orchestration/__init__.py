"""Airflow's edge: tasks, operators, triggers, and connection to clients."""
