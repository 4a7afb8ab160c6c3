"""Recognition: one class for an image."""
