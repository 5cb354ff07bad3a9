"""What a rollout leaves behind: write-once objects, and the lease on an endpoint."""
