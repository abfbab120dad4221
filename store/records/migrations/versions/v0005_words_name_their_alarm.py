"""What people say of an alarm names it by code and time: ids change when facts are made anew.

Notes of before have an id alone; the api looks the rest up in the facts and adds it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("case_notes", sa.Column("code", sa.String))
    op.add_column("case_notes", sa.Column("from_ms", sa.BigInteger))
    op.add_column("case_notes", sa.Column("to_ms", sa.BigInteger))
