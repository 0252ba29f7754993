"""What only SQL can say: audit rows never change, the state has its one row, and the busy table is vacuumed early."""

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION embedding_audit_logs_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'embedding_audit_logs is append-only: a row cannot be changed';
END $$;
CREATE TRIGGER embedding_audit_logs_append_only BEFORE UPDATE ON embedding_audit_logs
    FOR EACH ROW EXECUTE FUNCTION embedding_audit_logs_refuse();
"""
CHANGEABLE = """
DROP TRIGGER embedding_audit_logs_append_only ON embedding_audit_logs;
DROP FUNCTION embedding_audit_logs_refuse();
"""
STATE_ROW = "INSERT INTO queue_state DEFAULT VALUES ON CONFLICT DO NOTHING;"
VACUUM_EARLY = """
ALTER TABLE embedding_tasks SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
"""
VACUUM_AS_USUAL = """
ALTER TABLE embedding_tasks RESET (autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
"""


class Migration(migrations.Migration):
    dependencies = [("queueops", "0001_initial")]
    operations = [
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
        migrations.RunSQL(STATE_ROW, migrations.RunSQL.noop),
        migrations.RunSQL(VACUUM_EARLY, VACUUM_AS_USUAL),
    ]
