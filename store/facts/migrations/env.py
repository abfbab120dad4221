"""Alembic's entry: the migrations run on the connection that ``open_facts`` hands in."""

from alembic import context

from store.facts.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
