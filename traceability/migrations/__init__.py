"""How ``trace.db`` came to look as it does, step by step. Run when the follower starts."""
