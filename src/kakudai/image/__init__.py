"""Picture files to and from arrays of pixels, nothing lost; resizing, transparency, colour."""
