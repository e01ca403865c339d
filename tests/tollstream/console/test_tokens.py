"""Tokens, in a list instead of a store: hashes only, issued and revoked once, and words for what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.settlement import MemorySettlement
from tollstream.console import tokens
from tollstream.console.access import Access, Role
from tollstream.console.tokens import TokenError, expiry

NOW = datetime(2026, 12, 1, tzinfo=UTC)


async def made(store: MemorySettlement, role: Role = Role.OPERATOR, builder: str = "", tenant: str = "") -> str:
    token, _ = await tokens.create(
        store, role, builder, tenant, label="ana", expires_at=NOW + timedelta(days=1), by="ana", reason="a test"
    )
    return token


async def test_a_token_opens_what_it_was_made_for_and_its_secret_is_kept_nowhere() -> None:
    store = MemorySettlement()
    token = await made(store, Role.TENANT, "acme", "globex")
    access = await tokens.opened_by(store, token, NOW)
    assert access is not None
    assert (access.role, access.builder, access.tenant) == (Role.TENANT, "acme", "globex")
    secret = token.rpartition("_")[2] if "_" not in token[24:] else token[24:]
    assert secret not in repr(store.journals)
    assert len(store.journals["console_tokens"][0].digest) == 64


async def test_two_tokens_have_nothing_in_common() -> None:
    store = MemorySettlement()
    one, other = await made(store), await made(store)
    assert one[11:23] != other[11:23]
    assert one[24:] != other[24:]
    assert await tokens.opened_by(store, one[:24] + other[24:], NOW) is None


@pytest.mark.parametrize(
    "change", [lambda token: token + "x", lambda token: token[:-1], str.upper, lambda _: "", lambda _: "-"]
)
async def test_a_token_that_is_not_exactly_right_opens_nothing(change: object) -> None:
    store = MemorySettlement()
    token = await made(store)
    assert callable(change)
    assert await tokens.opened_by(store, change(token), NOW) is None
    assert await tokens.opened_by(store, token, NOW) is not None
    assert await tokens.opened_by(store, token, NOW + timedelta(days=1)) is None


async def test_revoked_once_and_for_ever() -> None:
    store = MemorySettlement()
    token = await made(store)
    token_id = token[11:23]
    await tokens.revoke(store, token_id, by="ben", reason="left")
    assert await tokens.opened_by(store, token, NOW) is None
    with pytest.raises(TokenError, match=f"Token {token_id} was revoked by ben at 2026-12-01 00:00 UTC"):
        await tokens.revoke(store, token_id, by="ana", reason="again")
    with pytest.raises(TokenError, match="There is no token ffffffffffff"):
        await tokens.revoke(store, "ffffffffffff", by="ana", reason="x")
    [listed] = await tokens.listed(store)
    assert listed.state(NOW) == "revoked"


@pytest.mark.parametrize(
    ("role", "builder", "tenant"),
    [
        (Role.OPERATOR, "acme", ""), (Role.OPERATOR, "", "globex"), (Role.BUILDER, "", ""),
        (Role.BUILDER, "acme", "globex"), (Role.TENANT, "acme", ""), (Role.TENANT, "", "globex"),
    ],
)  # fmt: skip
async def test_a_role_names_just_whom_it_is_about(role: Role, builder: str, tenant: str) -> None:
    with pytest.raises(TokenError, match="An operator's token names nobody"):
        await made(MemorySettlement(), role, builder, tenant)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("90d", NOW + timedelta(days=90)), ("12h", NOW + timedelta(hours=12)), ("never", None),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_how_long_a_token_is_valid(text: str, when: datetime | None) -> None:
    assert expiry(text, NOW) == when


@pytest.mark.parametrize("text", ["", "0d", "-1d", "90", "2026-12-01", "2026-02-30", "forever", "99999999d"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(TokenError, match="is no time to come: write 90d"):
        expiry(text, NOW)


@pytest.mark.parametrize(
    ("access", "builder", "tenant", "owns"),
    [
        (Access(Role.OPERATOR), "acme", "globex", True), (Access(Role.BUILDER, "acme"), "acme", "globex", True),
        (Access(Role.BUILDER, "acme"), "acme", "", True), (Access(Role.BUILDER, "acme"), "", "", False),
        (Access(Role.BUILDER, "acme"), "acme2", "", False),
        (Access(Role.TENANT, "acme", "globex"), "acme", "globex", True),
        (Access(Role.TENANT, "acme", "globex"), "acme", "", False),
        (Access(Role.TENANT, "acme", "globex"), "brio", "globex", False),
    ],
)  # fmt: skip
def test_what_a_token_owns(access: Access, builder: str, tenant: str, owns: bool) -> None:
    assert access.owns(builder, tenant) is owns
