"""What happens less often: a credit balance, several pages, hostile words, nothing at all."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from billing.credits import Draw
from billing.statements import Standing
from tests.support.rendered.making import ZERO, Made, line
from tollstream.rendering import Party, StatementDocument


def corrections() -> StatementDocument:
    """A month whose corrections take back more than was used: a credit balance."""
    made = Made(
        "quill",
        "initech",
        "EUR",
        [
            line(
                "subscription",
                "Writer",
                "7.74",
                "The fee of the plan for 20 of the 31 days of the period.",
                count="20",
                unit="days",
                exact="7.741935483871",
            ),
            line(
                "usage",
                "Premium AI tasks",
                "2.40",
                "One task for each text that the premium model works on.",
                about="quill-premium",
                count="30",
                unit="tasks",
            ),
            line(
                "credit", "Sorry for the outage", "-2.40", "2.4 of 5 EUR used here, 2.6 EUR left.", about="goodwill-3"
            ),
            line(
                "adjustment",
                "Premium AI tasks (2026-09): late usage",
                "0.48",
                "Late usage of 2026-09, which its statement could not hold. One task for each text that the "
                "premium model works on.",
                key="adjustment/2026-09/late/quill-premium",
                about="2026-09",
                count="6",
                unit="tasks",
            ),
            line(
                "adjustment",
                "Premium AI tasks (2026-09): usage taken back",
                "-31.20",
                "Usage taken back of 2026-09, which its statement could not hold. One task for each text that the "
                "premium model works on.",
                key="adjustment/2026-09/void/quill-premium",
                about="2026-09",
                count="-390",
                unit="tasks",
            ),
            line(
                "adjustment",
                "Standard AI tasks (2026-08): usage rated again",
                "-1.02",
                "Usage rated again of 2026-08, which its statement could not hold. One task for each text that the "
                "standard model works on.",
                key="adjustment/2026-08/rerate/quill-standard",
                about="2026-08",
                exact="-1.0185",
            ),
            line("tax", "IVA 21 %", "-5.04", "21 % of -24.00 EUR.", about="es-iva"),
        ],
        standings=(Standing("credit", "goodwill-3", "Sorry for the outage", "EUR", Decimal("2.40"), Decimal(5)),),
        draws=(Draw("goodwill-3", "drawn", "2026-10", "quill-premium", Decimal("2.40"), Decimal("2.40"), ZERO),),
    )
    return StatementDocument(
        made.statement(),
        "QUILL-2026-000418",
        date(2026, 11, 2),
        date(2026, 11, 16),
        Party("Quill Writing, Inc.", "548 Market Street\nSan Francisco, CA 94104"),
        Party("Initech España, S.L.", "Calle de Alcalá 45\n28014 Madrid\nNIF B00000000"),
    )


def long(lines: int = 64) -> StatementDocument:
    """Several pages: many lines, labels of every length, a word that does not end, large amounts."""
    words = "Reports about everything that moved through the warehouse, sorted, checked and summarised for your sites"
    found = [
        line(
            "subscription", "Everything", "1250000.00", "The fee of the plan for the period.", count="1", unit="period"
        )
    ]
    for number in range(1, lines + 1):
        label = f"{number:03d} {words[: 10 + number * 37 % 100].strip()}"
        if number == 7:
            label = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
        found.append(
            line(
                "usage",
                label,
                f"{number * 1234567 % 99999 / 100:.2f}",
                words[: number * 53 % 113],
                about=f"rule-{number:03d}",
                count=str(number * 7919),
                unit="reports",
            )
        )
    for number in range(1, 7):
        found.append(
            line(
                "adjustment",
                f"Reports (2026-{number:02d}): late usage",
                f"{number}.10",
                f"Late usage of 2026-{number:02d}.",
                key=f"adjustment/2026-{number:02d}/late/reports",
                about=f"2026-{number:02d}",
                count=str(number),
                unit="reports",
            )
        )
    found.append(line("tax", "Sales tax 8.875 %", "113283.06", "8.875 % of the sum.", about="ny"))
    return StatementDocument(
        Made("atlas", "vandelay", "USD", found).statement(),
        "ATLAS-2026-104822",
        date(2026, 11, 3),
        date(2026, 12, 3),
        Party("Atlas Logistics Intelligence", "9 Dock Street\nBrooklyn, NY 11201"),
        Party("Vandelay Industries"),
    )


HOSTILE = (
    '<script>alert("1")</script> & \x1b[31mred\x07 =HYPERLINK("http://x","y") \u202etfel\u202c\r\n-- "quoted", \'; DROP'
)


def hostile() -> StatementDocument:
    """What nobody should write into a label, name or address, and somebody will."""
    made = Made(
        '=cmd|"/C calc"!A0',
        "@tenant",
        "KWD",
        [
            line("usage", HOSTILE, "0.001", HOSTILE, about="=1+1", count="1", unit='"unit"\n'),
            line("usage", "-2+3 is a formula, too", "0.002", "+1", about="-2", count="2", unit="=runs"),
            line("usage", "\t=TAB()", "0.000", "😀 名前 שלום ก 𝒳", about="", count="0.000001", unit="gb"),
            line("adjustment", "A label\nof two lines", "-0.003", "", key="adjustment/2026-09/void/x", about="2026-09"),
        ],
    )
    return StatementDocument(
        made.statement(),
        "../../etc/passwd",
        date(2026, 11, 1),
        None,
        Party("</title><b>Builder", HOSTILE),
        Party("  ", "one\u2028two\x00three"),
        HOSTILE,
    )


def empty() -> StatementDocument:
    """A tenant who did nothing, before the month is closed."""
    return StatementDocument(Made("folio", "nobody", "EUR", []).statement())
