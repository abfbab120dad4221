"""How ``notices.db`` came to its tables."""
