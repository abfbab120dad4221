"""Where things are kept: small ports, several homes."""
