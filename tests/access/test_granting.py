"""A person gives a token what their own permissions cover."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from pytest_django import Settings

from access.granting import grantable, missing
from access.models import Scope


@dataclass
class Person:
    permissions: frozenset[str] = frozenset()
    is_superuser: bool = False
    is_active: bool = True

    def has_perm(self, permission: str) -> bool:
        return permission in self.permissions


@pytest.fixture(autouse=True)
def permissions(settings: Settings) -> None:
    settings.API_SCOPE_PERMISSIONS = {"read": ["a.view"], "write": ["a.add", "a.change"]}


@pytest.mark.parametrize(
    ("held", "scopes"),
    [
        ([], []),
        (["a.view"], [Scope.READ]),
        (["a.add"], []),
        (["a.add", "a.change"], [Scope.WRITE]),
        (["a.view", "a.add", "a.change", "a.more"], [Scope.READ, Scope.WRITE]),
    ],
)
def test_a_scope_needs_all_of_its_permissions(held: list[str], scopes: list[Scope]) -> None:
    assert grantable(as_person(Person(frozenset(held)))) == scopes


def as_person(person: Person) -> Any:
    return person


def test_missing_permissions_are_named() -> None:
    assert missing(as_person(Person(frozenset(["a.add"]))), Scope.WRITE) == ["a.change"]


def test_a_scope_that_is_not_listed_is_nobodys_but_a_superusers() -> None:
    everything = Person(frozenset(["a.view", "a.add", "a.change"]))
    assert missing(as_person(everything), Scope.OPS)
    assert grantable(as_person(Person(is_superuser=True))) == list(Scope)


def test_a_superuser_who_is_not_active_gives_nothing() -> None:
    assert grantable(as_person(Person(is_superuser=True, is_active=False))) == []


def test_nobody_gives_nothing() -> None:
    assert grantable(AnonymousUser()) == []
