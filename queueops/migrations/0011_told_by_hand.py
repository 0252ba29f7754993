"""Whatever plain SQL makes of a task that has ended is written down, also where it leaves nothing to tidy.

The trigger that tidies fires for rows that lack what belongs to their status, so a statement that says all of it went
unnoticed. This one looks at the change alone. Our own acts write their audit rows themselves and say so before they
begin (queueops/operate/operations/sql.py).
"""

from django.db import migrations

TIDY = """
CREATE OR REPLACE FUNCTION embedding_tasks_tidy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN{told}
    IF NEW.status = 'pending' AND OLD.status <> 'pending' AND EXISTS (
        SELECT FROM embedding_tasks o
        WHERE o.article_id = NEW.article_id AND o.space_id = NEW.space_id AND o.status = 'pending' AND o.id <> NEW.id
    ) THEN
        NEW.status := 'completed';
        NEW.outcome := 'superseded';
    END IF;
    IF NEW.status <> 'processing' THEN
        NEW.claim_token := NULL;
        NEW.lease_expires_at := NULL;
    END IF;
    IF NEW.status IN ('pending', 'processing') THEN
        NEW.completed_at := NULL;
        NEW.outcome := '';
    ELSE
        NEW.completed_at := coalesce(NEW.completed_at, statement_timestamp());
    END IF;
    IF NEW.status IN ('failed', 'cancelled') THEN
        NEW.outcome := CASE NEW.status WHEN 'failed' THEN 'failed' ELSE '' END;
    END IF;
    IF NEW.status = 'pending' AND NEW.attempts >= NEW.max_attempts THEN
        NEW.attempts := 0;
    END IF;
    RETURN NEW;
END $$;
"""
TOLD = """
    IF OLD.status IN ('completed', 'failed', 'cancelled') AND NEW.status IN ('pending', 'processing') THEN
        INSERT INTO embedding_audit_logs (level, category, actor, message, task_id, metadata)
        VALUES ('warning', 'operator', session_user, 'tasks requeued', NEW.id,
                jsonb_build_object('reason', 'by plain SQL', 'scope', jsonb_build_object('verb', 'requeued')));
    END IF;"""
# In work and back does not fire: a claim and its end cost nothing.
TELL = """
CREATE FUNCTION embedding_tasks_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO embedding_audit_logs (level, category, actor, message, task_id, metadata)
    SELECT 'warning', 'operator', session_user, 'tasks ' || acted, NEW.id, jsonb_build_object(
        'reason', 'by plain SQL', 'scope', jsonb_build_object('verb', acted),
        'before', jsonb_build_object('status', OLD.status), 'after', jsonb_build_object('status', NEW.status))
    FROM (SELECT CASE WHEN NEW.status IN ('pending', 'processing') THEN 'requeued' ELSE NEW.status END) said (acted);
    RETURN NULL;
END $$;
CREATE TRIGGER embedding_tasks_tell AFTER UPDATE OF status ON embedding_tasks FOR EACH ROW WHEN (
    OLD.status IN ('completed', 'failed', 'cancelled') AND NEW.status <> OLD.status
    AND coalesce(current_setting('vectorpress.is_told', true), '') = ''
) EXECUTE FUNCTION embedding_tasks_tell();
"""
SILENT = """
DROP TRIGGER embedding_tasks_tell ON embedding_tasks;
DROP FUNCTION embedding_tasks_tell();
"""


class Migration(migrations.Migration):
    dependencies = [("queueops", "0010_stages")]
    operations = [
        migrations.RunSQL(TIDY.replace("{told}", ""), TIDY.replace("{told}", TOLD)),
        migrations.RunSQL(TELL, SILENT),
    ]
