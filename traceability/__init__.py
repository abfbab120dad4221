"""Who had the goods, when, and how warm they were."""
