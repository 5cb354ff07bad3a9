"""SageMaker's control plane: models, endpoint configs, endpoints, the model registry and tags."""
