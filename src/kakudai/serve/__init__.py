"""kakudai over HTTP: the API, the page, and a client. Start it with `kakudai serve`."""
