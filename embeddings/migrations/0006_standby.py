"""A space may be kept up to date without serving, to serve again: state `standby`."""

from django.db import migrations, models

_STATES = [
    ("building", "Building"),
    ("ready", "Ready"),
    ("standby", "Standby"),
    ("serving", "Serving"),
    ("retired", "Retired"),
]


class Migration(migrations.Migration):
    dependencies = [("embeddings", "0005_recipes")]

    operations = [
        migrations.AlterField(
            "space",
            "state",
            models.CharField(choices=_STATES, db_default="building", default="building", max_length=16),
        ),
        migrations.RemoveConstraint("space", "embedding_spaces_known_state"),
        migrations.AddConstraint(
            "space",
            models.CheckConstraint(
                condition=models.Q(("state__in", [state for state, _ in _STATES])),
                name="embedding_spaces_known_state",
            ),
        ),
    ]
