"""Language: a sentence for a sentence, or for an image."""
