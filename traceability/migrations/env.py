"""Alembic's entry: the migrations run on the connection that the follower hands in."""

from alembic import context

from traceability.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
