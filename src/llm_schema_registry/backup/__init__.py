"""Backups: a registry's rows as objects in a folder or an object store, and back."""
