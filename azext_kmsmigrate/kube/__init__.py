"""Talks to the cluster's Kubernetes API server; keeps credentials in memory and drops every body it has read."""
