"""Clean pictures made poor, as pure functions of (picture, settings): what a network learns to undo."""
