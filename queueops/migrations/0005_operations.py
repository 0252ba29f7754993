"""What operators do to many tasks becomes a row, and the audit log can be walked by operation and task."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('queueops', '0004_provider_states'),
    ]

    operations = [
        migrations.CreateModel(
            name='Operation',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('verb', models.CharField(choices=[('requeue', 'Requeue'), ('cancel', 'Cancel'), ('prioritize', 'Prioritize'), ('clear', 'Clear'), ('release', 'Release'), ('undo', 'Undo')], max_length=16)),
                ('actor', models.CharField(max_length=150)),
                ('reason', models.TextField()),
                ('scope', models.JSONField(blank=True, default=dict, help_text='the filter as it was given')),
                ('priority', models.CharField(blank=True, choices=[('low', 'Low'), ('normal', 'Normal'), ('high', 'High')], default='', help_text='what prioritize sets', max_length=8)),
                ('status', models.CharField(choices=[('running', 'Running'), ('done', 'Done'), ('cancelled', 'Cancelled')], db_default='running', default='running', max_length=16)),
                ('total', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('changed', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('skipped', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('skips', models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, help_text='why, and how many')),
                ('cursor', models.BigIntegerField(db_default=0, default=0)),
                ('last_id', models.BigIntegerField(db_default=0, default=0)),
                ('passed_over', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), blank=True, default=list)),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'db_table': 'embedding_operations',
            },
        ),
        migrations.RemoveIndex(
            model_name='auditlog',
            name='embedding_audit_operation',
        ),
        migrations.AddIndex(
            model_name='auditlog',
            index=models.Index(condition=models.Q(('operation_id__isnull', False)), fields=['operation_id', 'task_id'], name='embedding_audit_operation'),
        ),
        migrations.AddField(
            model_name='operation',
            name='undoes',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='undone_by', to='queueops.operation'),
        ),
        migrations.AddIndex(
            model_name='operation',
            index=models.Index(fields=['-started_at', '-id'], name='embedding_operations_newest'),
        ),
    ]
