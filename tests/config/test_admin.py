"""Nobody hands on rights that they do not hold, whatever they put into the forms of people and groups."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from tests.admin_rows import make_person

pytestmark = pytest.mark.django_db
RIGHTS = ("auth.view_user", "auth.add_user", "auth.change_user", "auth.delete_user", "auth.view_group")
GROUP_RIGHTS = ("auth.add_group", "auth.change_group")


@pytest.fixture
def keeper(client: Client) -> User:
    """May change people and groups, and look at articles; signed in."""
    person = make_person("keeper", *RIGHTS, *GROUP_RIGHTS, "articles.view_article")
    client.force_login(person)
    return person


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


def save(client: Client, person: User, **changes: object) -> int:
    fields = {
        "username": person.username, "is_staff": "on", "is_active": "on", "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00", "user_permissions": [p.pk for p in person.user_permissions.all()],
    } | changes  # fmt: skip
    url = reverse("admin:auth_user_change", args=[person.pk])
    return int(client.post(url, fields).status_code)


def test_who_may_change_people_does_not_make_a_superuser(client: Client, keeper: User) -> None:
    other = make_person("other")
    for person in (keeper, other):
        save(client, person, is_superuser="on")
        person.refresh_from_db()
        assert not person.is_superuser


def test_permissions_that_one_lacks_cannot_be_given(client: Client, keeper: User) -> None:
    other = make_person("other")
    assert save(client, other, user_permissions=[permission("delete_article").pk]) == 200  # the form again
    assert not other.user_permissions.exists()


def test_permissions_that_one_has_can_be_given(client: Client, keeper: User) -> None:
    other = make_person("other")
    assert save(client, other, user_permissions=[permission("view_article").pk]) == 302
    assert [p.codename for p in other.user_permissions.all()] == ["view_article"]


def test_a_group_that_holds_more_can_neither_be_given_nor_changed(client: Client, keeper: User) -> None:
    mighty = Group.objects.create(name="mighty")
    mighty.permissions.add(permission("delete_article"))
    assert save(client, keeper, groups=[mighty.pk]) == 200
    url = reverse("admin:auth_group_change", args=[mighty.pk])
    assert client.post(url, {"name": "mine", "permissions": []}).status_code == 403
    assert list(mighty.permissions.values_list("codename", flat=True)) == ["delete_article"]


def test_a_group_gets_only_permissions_of_its_maker(client: Client, keeper: User) -> None:
    fields = {"name": "new", "permissions": [permission("delete_article").pk]}
    assert client.post(reverse("admin:auth_group_add"), fields).status_code == 200
    assert not Group.objects.exists()


@pytest.mark.parametrize("page", ["change", "delete"])
def test_somebody_who_holds_more_cannot_be_changed_or_deleted(
    client: Client, keeper: User, page: str
) -> None:
    for other in (User.objects.create_superuser("root"), make_person("deleter", "articles.delete_article")):
        url = reverse(f"admin:auth_user_{page}", args=[other.pk])
        assert client.post(url, {"post": "yes", "username": "mine"}).status_code == 403
        assert User.objects.filter(username=other.username).exists()


def test_the_password_of_somebody_who_holds_more_cannot_be_set(client: Client, keeper: User) -> None:
    root = User.objects.create_superuser("root", password="first password of root")
    fields = {"password1": "a password of mine", "password2": "a password of mine", "usable_password": "true"}
    url = reverse("admin:auth_user_password_change", args=[root.pk])
    assert client.post(url, fields).status_code == 403
    root.refresh_from_db()
    assert root.check_password("first password of root")


def test_a_bulk_deletion_stops_at_somebody_who_holds_more(client: Client, keeper: User) -> None:
    root, other = User.objects.create_superuser("root"), make_person("other")
    fields = {"action": "delete_selected", "_selected_action": [root.pk, other.pk], "post": "yes"}
    assert client.post(reverse("admin:auth_user_changelist"), fields).status_code == 403
    assert User.objects.filter(username__in=["root", "other"]).count() == 2


@pytest.mark.parametrize("url", ["admin:auth_group_delete", "admin:auth_group_changelist"])
def test_a_group_that_holds_more_cannot_be_deleted_alone_or_among_others(client: Client, url: str) -> None:
    client.force_login(make_person("remover", "auth.view_group", "auth.delete_group"))
    mighty, weak = Group.objects.create(name="mighty"), Group.objects.create(name="weak")
    mighty.permissions.add(permission("delete_article"))
    fields = {"action": "delete_selected", "_selected_action": [mighty.pk, weak.pk], "post": "yes"}
    where = reverse(url, args=[mighty.pk] if url.endswith("delete") else [])
    assert client.post(where, fields).status_code == 403
    assert Group.objects.count() == 2


def test_a_group_that_holds_no_more_can_be_deleted(client: Client) -> None:
    client.force_login(make_person("remover", "auth.view_group", "auth.delete_group"))
    weak = Group.objects.create(name="weak")
    weak.permissions.add(permission("delete_group"))
    assert client.post(reverse("admin:auth_group_delete", args=[weak.pk]), {"post": "yes"}).status_code == 302
    assert not Group.objects.exists()


def test_a_superuser_may_do_all_of_it(admin_client: Client) -> None:
    other = make_person("other")
    wanted = {"is_superuser": "on", "user_permissions": [permission("delete_article").pk]}
    assert save(admin_client, other, **wanted) == 302
    other.refresh_from_db()
    assert other.is_superuser


def test_a_viewer_sees_no_hash_of_a_password(client: Client) -> None:
    client.force_login(make_person("onlooker", "auth.view_user"))
    for name in ("root", "other"):
        person = User.objects.create_user(
            name, password=f"first password of {name}", is_superuser=name == "root"
        )
        page = client.get(reverse("admin:auth_user_change", args=[person.pk])).content.decode()
        assert name in page
        assert person.password not in page
        assert "algorithm" not in page


def test_who_may_change_a_person_who_holds_more_sees_no_hash_either(client: Client, keeper: User) -> None:
    root = User.objects.create_superuser("root", password="first password of root")
    page = client.get(reverse("admin:auth_user_change", args=[root.pk])).content.decode()
    assert root.password not in page
