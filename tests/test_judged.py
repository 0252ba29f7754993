"""The measures of `./dev bench quality` are what their names say."""

from benchmarks.tools.judged import FILE, Judged, measures, read

ONE = Judged("q", frozenset({"a", "b"}), frozenset({"c"}))


def test_answers_first_count_fully_and_what_helps_a_little() -> None:
    assert measures([ONE], [["a", "b", "c"]])["ndcg_at_10"] == 1
    found = measures([ONE, ONE], [["x", "a", "c"], ["c", "x", "x", "x", "x", "b"]])
    assert (found["questions"], found["first"], found["in_first_5"]) == (2, 0, 1)
    assert found["mrr"] == round((1 / 2 + 1 / 6) / 2, 4)
    assert 0 < found["ndcg_at_10"] < 1
    assert measures([ONE], [[]]) == {"questions": 1, "first": 0, "in_first_5": 0, "mrr": 0, "ndcg_at_10": 0}


def test_every_line_of_the_questions_has_an_answer() -> None:
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    every = {slug for line in lines for slug in line.split("|")[1].split()}
    assert len(read(every)) == len(lines) == len({line.split("|")[0] for line in lines}) >= 80
    assert read({"an-unknown-slug"}) == []
