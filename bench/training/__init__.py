"""Architectures trained for real: the recipe, the images, and the trainer, alone and stacked."""
