"""Schema registry and data contracts for platforms that run LLMs."""

__version__ = "0.1.0"
