"""Numbers over time: each name is found once, however many samples it has."""

import pytest
from django.db import connection

from queueops.models import Metric
from queueops.models.metric import NAMES_SQL


@pytest.mark.django_db
@pytest.mark.parametrize("names", [[], ["a"], ["b", "a", "b", "b", "ab"], ["", "Z", "é", "a'b"]])
def test_each_name_is_found_once(names: list[str]) -> None:
    Metric.objects.bulk_create(Metric(name=name, value=1.0) for name in names)
    with connection.cursor() as cursor:
        cursor.execute(f"{NAMES_SQL} SELECT name FROM names WHERE name IS NOT NULL")
        found = [name for (name,) in cursor.fetchall()]
    assert sorted(found) == sorted(set(names))


@pytest.mark.parametrize(("value", "told"), [(1.0, "x 1"), (0.25, "x 0.25"), (1e9, "x 1e+09")])
def test_a_number_is_shown_short(value: float, told: str) -> None:
    assert str(Metric(name="x", value=value)) == told
