"""Off the broker, into the store; and from the store into InfluxDB."""
