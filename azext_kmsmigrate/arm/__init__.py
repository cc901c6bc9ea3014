"""Talks to Azure Resource Manager, with the CLI's own clients."""
