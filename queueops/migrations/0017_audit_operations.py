from django.db import migrations, models


class Migration(migrations.Migration):
    """An index for the list of operations."""

    dependencies = [
        ('queueops', '0016_audit_events'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='auditlog',
            index=models.Index(condition=models.Q(('operation_id__isnull', False), ('task_id__isnull', True)), fields=['-timestamp', '-operation_id'], name='embedding_audit_operations'),
        ),
    ]
