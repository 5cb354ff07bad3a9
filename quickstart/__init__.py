"""The local project: start-up, sample models, traffic and the demo."""
