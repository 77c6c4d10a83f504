"""Endings of files: which are looked for in folders, and which new files get."""


def readable_extensions() -> frozenset[str]:
    """Return the endings that pictures in folders have."""
    from kakudai.image.formats import FORMATS

    return frozenset(f".{extension}" for entry in FORMATS.values() for extension in entry.extensions)


def writable_extensions() -> frozenset[str]:
    """Return the endings of formats that can be written."""
    from kakudai.image.formats import DEEPZOOM, FORMATS

    formats = [entry for entry in FORMATS.values() if entry.saver]
    return frozenset(f".{extension}" for entry in (*formats, DEEPZOOM) for extension in entry.extensions)


def extension_of(format: str | None) -> str | None:  # noqa: A002
    """Return the ending of new files of a format."""
    from kakudai.image.formats import find_output_format

    return None if format is None else f".{find_output_format(format).extensions[0]}"


def extensions_of(format: str) -> frozenset[str]:  # noqa: A002
    """Return all endings that files of a format may have."""
    from kakudai.image.formats import find_output_format

    return frozenset(f".{extension}" for extension in find_output_format(format).extensions)
