"""How ``records.db`` came to look as it does, step by step. Run by ``open_records``."""
