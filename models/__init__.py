"""The networks, and the spec they share with the live path."""
