"""Pages for people: a phone in the sun on a slow link, and a desk."""
