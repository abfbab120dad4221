"""Messages on the brokers, by version: bytes in, values out, and back."""
