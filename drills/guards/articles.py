"""Guards of articles and their versions, written past save() too."""

from drills.guards.mutation import Mutation

MUTATIONS = (
    Mutation(
        "articles: a save of other fields is no new text",
        "articles/models.py",
        "return fields if update_fields is None else fields & set(update_fields)",
        "return fields",
        ("tests/articles/test_by_hand.py",),
    ),
)
