"""A verb, its options, and the group it belongs to."""

from argparse import ArgumentParser

import pytest

from queueops.cli.frame.console import Console
from queueops.cli.frame.verb import Options, VerbGroup, names_of, no_arguments, own_options


def test_a_family_keeps_its_verbs_in_order() -> None:
    family = VerbGroup("Trying")
    for name in ("b", "a"):
        family.verb(name, "", keys=())(lambda console: None)
    assert [verb.name for verb in family] == ["b", "a"]


def test_a_verb_is_the_function_below_it_and_brief_as_its_group_is() -> None:
    family = VerbGroup("Looking", is_brief=True)

    @family.verb("look", "looks", keys=("rows",))
    def look(console: Console) -> None:
        return None

    [verb] = family
    assert (verb.run, verb.help, verb.keys, verb.is_brief) == (look, "looks", ("rows",), True)


def test_a_verb_is_given_its_own_options_and_none_of_those_that_all_have() -> None:
    parser = ArgumentParser()
    parser.add_argument("--actor")

    def arguments(parser: Options) -> None:
        parser.add_argument("ids", nargs="*")
        parser.add_argument("--dry-run", action="store_true")

    assert names_of(own_options(parser, arguments)) == ("ids", "dry_run")
    assert own_options(parser, no_arguments) == []


def test_two_options_for_one_name_are_one() -> None:
    def arguments(parser: Options) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--restore", dest="what", action="store_const", const="restore")
        what.add_argument("--clear", dest="what", action="store_const", const="clear")

    parser = ArgumentParser()
    assert names_of(own_options(parser, arguments)) == ("what",)
    with pytest.raises(SystemExit):
        parser.parse_args(["--restore", "--clear"])
