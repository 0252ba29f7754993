"""A task that plain SQL puts back to waiting gives way to one of its article that waits already.

Without this, `UPDATE embedding_tasks SET status = 'pending' WHERE …` would fail as a whole over a single such task.
"""

from django.db import migrations

TIDY = """
CREATE OR REPLACE FUNCTION embedding_tasks_tidy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IN ('completed', 'failed', 'cancelled') AND NEW.status IN ('pending', 'processing') THEN
        INSERT INTO embedding_audit_logs (level, category, actor, message, task_id, metadata)
        VALUES ('warning', 'operator', session_user, 'tasks requeued', NEW.id,
                jsonb_build_object('reason', 'by plain SQL', 'scope', jsonb_build_object('verb', 'requeued')));
    END IF;{give_way}
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
GIVE_WAY = """
    IF NEW.status = 'pending' AND OLD.status <> 'pending' AND EXISTS (
        SELECT FROM embedding_tasks o
        WHERE o.article_id = NEW.article_id AND o.space_id = NEW.space_id AND o.status = 'pending' AND o.id <> NEW.id
    ) THEN
        NEW.status := 'completed';
        NEW.outcome := 'superseded';
    END IF;"""


class Migration(migrations.Migration):
    dependencies = [("queueops", "0008_sign")]
    operations = [
        migrations.RunSQL(TIDY.replace("{give_way}", GIVE_WAY), TIDY.replace("{give_way}", ""))
    ]
