"""The live path: sources to windows to scores to events; evaluation, demo and command line."""
