"""Alembic's entry: the migrations run on the connection that ``open_notices`` hands in."""

from alembic import context

from store.notices.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
