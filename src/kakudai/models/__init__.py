"""The networks that are shipped inside the package, and finding any network by name or path."""

from kakudai.models.catalogue import Model, find_model, list_models

__all__ = ["Model", "find_model", "list_models"]
