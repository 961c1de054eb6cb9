"""The model card: what a model is for, how often it is right, for whom it is not, and how to object."""
