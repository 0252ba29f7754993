"""Keys in a task's metadata get plain names: `tries` becomes `failed_attempts`, `anew` becomes `reembed`."""

from django.db import migrations

_RENAME = """
UPDATE embedding_tasks SET metadata = metadata - ARRAY['{tries}', '{anew}']
    || CASE WHEN metadata ? '{tries}' THEN jsonb_build_object('{attempts}', metadata->'{tries}') ELSE '{{}}' END
    || CASE WHEN metadata ? '{anew}' THEN jsonb_build_object('{reembed}', metadata->'{anew}') ELSE '{{}}' END
WHERE jsonb_typeof(metadata) = 'object' AND metadata ?| ARRAY['{tries}', '{anew}']
"""


class Migration(migrations.Migration):
    dependencies = [("queueops", "0017_audit_operations")]

    operations = [
        migrations.RunSQL(
            _RENAME.format(tries="tries", attempts="failed_attempts", anew="anew", reembed="reembed"),
            _RENAME.format(tries="failed_attempts", attempts="tries", anew="reembed", reembed="anew"),
        )
    ]
