"""The core: what a rollout is. Values and rules; no I/O and no clock."""
