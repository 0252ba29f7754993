"""A status that an operator sets by plain SQL takes along what belongs to it; our own statements never need this.

`UPDATE embedding_tasks SET status = 'failed' …` is a legitimate act. It says nothing of token, lease, times and
attempts, so the database puts them right, and writes down that an ended task was begun again.
"""

from django.db import migrations

TIDY = """
CREATE FUNCTION embedding_tasks_tidy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IN ('completed', 'failed', 'cancelled') AND NEW.status IN ('pending', 'processing') THEN
        INSERT INTO embedding_audit_logs (level, category, actor, message, task_id, metadata)
        VALUES ('warning', 'operator', session_user, 'tasks requeued', NEW.id,
                jsonb_build_object('reason', 'by plain SQL', 'scope', jsonb_build_object('verb', 'requeued')));
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
CREATE TRIGGER embedding_tasks_tidy BEFORE UPDATE OF status ON embedding_tasks FOR EACH ROW WHEN (
    NEW.status <> 'processing' AND (NEW.claim_token IS NOT NULL OR NEW.lease_expires_at IS NOT NULL)
    OR (NEW.completed_at IS NULL) <> (NEW.status IN ('pending', 'processing'))
    OR NEW.outcome <> '' AND NEW.status IN ('pending', 'processing', 'cancelled')
    OR NEW.outcome <> 'failed' AND NEW.status = 'failed'
    OR NEW.status = 'pending' AND NEW.attempts >= NEW.max_attempts
) EXECUTE FUNCTION embedding_tasks_tidy();
"""
AS_WRITTEN = """
DROP TRIGGER embedding_tasks_tidy ON embedding_tasks;
DROP FUNCTION embedding_tasks_tidy();
"""


class Migration(migrations.Migration):
    dependencies = [("queueops", "0002_guards")]
    operations = [migrations.RunSQL(TIDY, AS_WRITTEN)]
