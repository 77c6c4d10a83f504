"""Many pictures: what was asked, what became of each, and where to go on."""
