"""Terms of payouts: published by Builder, dated, never changed; and read as they stand."""

from __future__ import annotations

from collections.abc import Sequence

from billing.documents import BookError
from billing.loading import parse_version
from billing.payout_terms import PayoutTerms, PayoutTermsVersions
from billing.published import suffix_of
from sinks.journals import JournalStore, append
from sinks.payout_terms import TERMS_JOURNAL, TermsRecord
from tollstream.payouts.refusal import PayoutRefusedError


async def read_terms(store: JournalStore, builder: str) -> PayoutTermsVersions:
    """Every version that was published for a Builder."""
    return PayoutTermsVersions(
        [_version(record) for record in await store.read_journal(TERMS_JOURNAL, {"builder": builder})]
    )


async def publish_terms(store: JournalStore, terms: PayoutTerms, *, by: str, reason: str) -> TermsRecord | None:
    """Record a version; None where the same text stands already. Payouts that are decided keep what they followed."""

    def judge(standing: list[TermsRecord]) -> Sequence[TermsRecord]:
        for record in standing:
            if record.version == terms.version:
                if record.digest == terms.digest:
                    return []
                raise PayoutRefusedError(
                    f"Version {terms.version} of the payout terms of {terms.builder} stands with another text: publish "
                    "the change as a new version, under a name of its own."
                )
            if record.effective_from == terms.effective_from:
                raise PayoutRefusedError(
                    f"Version {record.version} of the payout terms of {terms.builder} holds from "
                    f"{terms.effective_from.isoformat()} already: only one can hold at a time. Choose another "
                    "effective_from."
                )
        return [
            TermsRecord(terms.builder, terms.version, terms.effective_from, terms.digest, terms.content, by, reason)
        ]

    recorded = await append(store, TERMS_JOURNAL, {"builder": terms.builder}, judge)
    return recorded[0] if recorded else None


def _version(record: TermsRecord) -> PayoutTerms:
    name = f"version {record.version} of the published payout terms of {record.builder}"
    terms = parse_version(record.content, suffix_of(record.content), name, PayoutTerms)
    if (terms.digest, terms.builder) != (record.digest, record.builder):
        raise BookError(f"{name}: the text is not the one that was published. Bring payout_terms back from a backup.")
    return terms
