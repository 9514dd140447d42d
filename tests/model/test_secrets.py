"""What of an environment is shown."""

from __future__ import annotations

import pytest

from testloom.model.secrets import redacted, without_users


@pytest.mark.parametrize(
    "name",
    [
        *("GITHUB_TOKEN", "client_secret", "DB_PASSWORD", "AWS_ACCESS_KEY_ID", "MY_KEY_FILE"),
        *("PGPASSWD", "SSH_AUTH_SOCK", "PASSPHRASE", "SESSION_COOKIE", "credentials"),
    ],
)
def test_secrets_are_known_by_their_names(name: str) -> None:
    assert redacted({name: "x"}) == {name: "(hidden)"}


def test_a_secret_without_a_value_is_shown_as_such() -> None:
    assert redacted({"TOKEN": ""}) == {"TOKEN": ""}


def test_a_secret_is_hidden_within_other_values_as_well() -> None:
    environ = {
        "TOKEN": "abcdef",
        "LONG_TOKEN": "abcdefgh",
        "ARGS": "-t abcdefgh -u abcdef",
        "K": "ab",
    }
    assert redacted(environ)["ARGS"] == "-t (hidden) -u (hidden)"


def test_a_short_secret_does_not_blot_out_everything() -> None:
    assert redacted({"TOKEN": "a", "PATH": "/sbin/a"})["PATH"] == "/sbin/a"


def test_names_and_passwords_of_urls_are_hidden() -> None:
    assert without_users("a=https://me:pw@host/x,ssh://git@host") == (
        "a=https://(hidden)@host/x,ssh://(hidden)@host"
    )
    assert without_users("mail me@host: see http://host/@x") == "mail me@host: see http://host/@x"


def test_variables_come_in_the_order_of_their_names() -> None:
    assert list(redacted({"b": "", "A": "", "a": ""})) == ["A", "a", "b"]
