"""From a recipe to a weight file: recipe, loop, losses, checkpoint, export."""
