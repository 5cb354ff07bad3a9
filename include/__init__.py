"""Penumbra: shadow rollouts for Amazon SageMaker."""
