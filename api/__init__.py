"""The HTTP face: console, buyer's page, API, EPCIS."""
