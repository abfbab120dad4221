"""How ``facts.db`` came to its tables. Derived: deleting the file rebuilds it."""
