"""A verb, its options, and the group it belongs to."""

from queueops.cli.frame.verb import VerbGroup


def test_a_family_keeps_its_verbs_in_order():
    family = VerbGroup("Trying")
    for name in ("b", "a"):
        family.verb(name, "", keys=())(lambda console: None)
    assert [verb.name for verb in family] == ["b", "a"]
