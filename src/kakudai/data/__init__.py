"""Folders of pictures become one packed file, and the packed file random pairs of crops."""
