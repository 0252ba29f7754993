"""The exit codes that scripts rely on."""

from queueops.cli.frame.exit_codes import Exit, Refused


def test_the_codes_are_those_that_scripts_know() -> None:
    assert {code.name: int(code) for code in Exit} == {
        "OK": 0, "PARTLY": 1, "TROUBLE": 2, "REFUSED": 3, "INTERRUPTED": 130,
    }  # fmt: skip


def test_a_refusal_says_that_nothing_was_changed_unless_it_says_otherwise() -> None:
    assert Refused("no").exit is Exit.REFUSED
    assert Refused("no tables", Exit.TROUBLE).exit is Exit.TROUBLE
    assert str(Refused("no")) == "no"
