"""A view that says that the queue is installed, and the queue's parting, without harm to those who go on working.

The view is the last thing that comes and the first that goes (queueops/base/installed.py). Then the ties to articles and spaces are
cut: a drop would take the tables at both ends for itself, one after the other, while saves and searches take them in another
order, and one of them would be the victim of the deadlock. Here all are taken together or given back within half a second.
"""

from django.db import migrations

PUT_UP = """
CREATE OR REPLACE VIEW queue_is_installed AS
SELECT true AS it_is FROM queue_state, embedding_tasks, embedding_worker_status, provider_states;
"""
TAKE_DOWN = "DROP VIEW IF EXISTS queue_is_installed;"
TIE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND conrelid = 'embedding_tasks'::regclass) THEN
        ALTER TABLE embedding_tasks
            ADD CONSTRAINT embedding_tasks_article_fk FOREIGN KEY (article_id) REFERENCES articles (id)
                ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            ADD CONSTRAINT embedding_tasks_space_fk FOREIGN KEY (space_id) REFERENCES embedding_spaces (id)
                ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
    END IF;
END $$;
"""
UNTIE = """
DO $$
DECLARE
    tie record;
BEGIN
    PERFORM set_config('lock_timeout', '500ms', true);
    FOR attempt IN 1..60 LOOP
        BEGIN
            LOCK TABLE embedding_tasks, articles, embedding_spaces IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            IF attempt = 60 THEN RAISE; END IF;
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    FOR tie IN SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = 'embedding_tasks'::regclass LOOP
        EXECUTE format('ALTER TABLE embedding_tasks DROP CONSTRAINT %I', tie.conname);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("queueops", "0007_migrate")]
    operations = [migrations.RunSQL(TIE, UNTIE), migrations.RunSQL(PUT_UP, TAKE_DOWN)]
