"""Sets x models x protocols: figures that can be put beside the published ones."""
