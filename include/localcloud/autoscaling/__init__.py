"""Application Auto Scaling of SageMaker's variants: targets and policies that act."""
