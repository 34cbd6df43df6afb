"""What containers run: found where they take their images from, pulled, or built from the installed software."""

from clusters.images.provide import provided
from clusters.images.python_image import load_image
from clusters.images.removal import remove_all

__all__ = ["load_image", "provided", "remove_all"]
