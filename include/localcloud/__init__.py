"""A local SageMaker that speaks AWS's wire protocol and really serves models."""
