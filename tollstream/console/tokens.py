"""Tokens of the console: made, looked up, revoked. The secret is shown once, and only its hash is kept.

Shape   tollstream_<id>_<secret>: the id is public and finds the entry, the secret is 256 random bits. So a plain
        SHA-256 is enough: there is nothing to guess, and no list of passwords to try.
Errors  `TokenError` for what cannot be made or revoked. A token that is unknown, expired, revoked or wrong is None, in
        the same time whatever was wrong.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sinks.access import ISSUED, REVOKED, TOKEN_JOURNAL, TokenRecord
from sinks.journals import JournalStore, append
from tollstream.console.access import Access, Role
from tollstream.errors import UserError

_TOKEN = re.compile(r"tollstream_(?P<id>[0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NOBODY = sha256(secrets.token_bytes(32)).hexdigest()  # what an unknown token is compared with
_DURATION = re.compile(r"(?P<number>[1-9]\d{0,4})(?P<unit>[hd])")


class TokenError(UserError):
    """A token that cannot be made or revoked; says what to write instead."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is on record about a token."""

    record: TokenRecord
    revoked: TokenRecord | None

    def state(self, now: datetime) -> str:
        """valid, expired or revoked."""
        if self.revoked is not None:
            return "revoked"
        expires = self.record.expires_at
        return "expired" if expires is not None and expires <= now else "valid"


async def create(
    store: JournalStore,
    role: Role,
    builder: str,
    tenant: str,
    *,
    label: str,
    expires_at: datetime | None,
    by: str,
    reason: str,
) -> tuple[str, TokenRecord]:
    """The token, which nobody will see again, and what was recorded of it."""
    wanted = {Role.OPERATOR: (False, False), Role.BUILDER: (True, False), Role.TENANT: (True, True)}[role]
    if (bool(builder), bool(tenant)) != wanted:
        raise TokenError(
            "An operator's token names nobody, a Builder's token a --builder, a tenant's token --builder and --tenant."
        )
    token_id = secrets.token_hex(6)
    token = f"tollstream_{token_id}_{secrets.token_urlsafe(32)}"
    record = TokenRecord(token_id, ISSUED, _digest(token), role, builder, tenant, label, expires_at, by, reason)
    [recorded] = await append(store, TOKEN_JOURNAL, {"token_id": token_id}, lambda standing: [record])
    return token, recorded


async def revoke(store: JournalStore, token_id: str, *, by: str, reason: str) -> TokenRecord:
    """From now on it opens nothing."""

    def judge(standing: list[TokenRecord]) -> list[TokenRecord]:
        found = _tokens(standing)
        if not found:
            raise TokenError(f"There is no token {token_id}: `tollstream console token list` shows which there are.")
        [token] = found
        if token.revoked is not None:
            when = f"{token.revoked.recorded_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            raise TokenError(f"Token {token_id} was revoked by {token.revoked.recorded_by} at {when}: nothing to do.")
        of = token.record
        return [TokenRecord(token_id, REVOKED, "", of.role, of.builder, of.tenant, of.label, of.expires_at, by, reason)]

    [recorded] = await append(store, TOKEN_JOURNAL, {"token_id": token_id}, judge)
    return recorded


async def listed(store: JournalStore) -> list[Token]:
    """All that were ever issued, the oldest first."""
    return sorted(_tokens(await store.read_journal(TOKEN_JOURNAL, {})), key=lambda token: token.record.recorded_at)


async def opened_by(store: JournalStore, token: str, now: datetime) -> Access | None:
    """What a token opens; None for one that opens nothing."""
    shape = _TOKEN.fullmatch(token)
    found = _tokens(await store.read_journal(TOKEN_JOURNAL, {"token_id": shape["id"] if shape else "-"}))
    expected = found[0].record.digest if found else _NOBODY
    if not hmac.compare_digest(_digest(token), expected) or not found or found[0].state(now) != "valid":
        return None
    of = found[0].record
    return Access(Role(of.role), of.builder, of.tenant, of.token_id, of.label)


def expiry(text: str, now: datetime) -> datetime | None:
    """`90d`, `12h`, a day (2027-01-31, UTC) or `never`."""
    if text == "never":
        return None
    found = _DURATION.fullmatch(text)
    if found is not None:
        number = int(found["number"])
        return now + (timedelta(days=number) if found["unit"] == "d" else timedelta(hours=number))
    try:
        moment = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None or moment <= now:
        raise TokenError(f"--expires {text} is no time to come: write 90d, 12h, a day such as 2027-01-31, or never.")
    return moment


def _tokens(records: list[TokenRecord]) -> list[Token]:
    revoked = {record.token_id: record for record in records if record.state == REVOKED}
    return [Token(record, revoked.get(record.token_id)) for record in records if record.state == ISSUED]


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
