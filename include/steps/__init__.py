"""What a rollout does, one verb a file."""
