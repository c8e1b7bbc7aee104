"""The alert message, its transports and its subscribers."""
