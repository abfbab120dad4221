"""The whole, put together: the command line, the settings and the supervisor."""
