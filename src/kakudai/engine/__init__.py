"""Any picture, any size, through a network: tiles, plan, runtimes, guard."""
