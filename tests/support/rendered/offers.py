"""The guide's four offers after a busy month: units, allowances, top-ups, taxes, a cap, a minimum, three currencies."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from billing.credits import Draw, Grant
from billing.money import EXACT
from billing.periods import Cycle
from billing.statements import LineKind, Standing, StatementLine
from tests.support.rendered.making import ZERO, Made, line
from tollstream.rendering import Party, StatementDocument


def included_with_top_ups() -> StatementDocument:
    """Quill: a plan, everyday tasks in it, premium ones with an allowance and a top-up that was paid by card."""
    top_up = datetime(2026, 10, 9, 14, 30, tzinfo=UTC)
    made = Made(
        "quill",
        "hooli",
        "USD",
        [
            line("subscription", "Writer", "12.00", "The fee of the plan for the period.", count="1", unit="period"),
            line(
                "usage",
                "Everyday AI tasks, included in your plan",
                "0.00",
                "Drafts and rewrites by the everyday model.",
                about="quill-everyday",
                count="412",
                unit="tasks",
            ),
            line(
                "usage",
                "Standard AI tasks",
                "3.87",
                "One task for each text that the standard model works on.",
                about="quill-standard",
                count="387",
                unit="tasks",
            ),
            line(
                "usage",
                "Premium AI tasks",
                "9.36",
                "One task for each text that the premium model works on.",
                about="quill-premium",
                count="117",
                unit="tasks",
            ),
            line(
                "usage",
                "Other AI tasks",
                "0.58",
                "Tasks by models that have no price of their own.",
                about="quill-other",
                count="301",
                unit="tasks",
                exact="0.5768665",
            ),
            line(
                "allowance",
                "Premium tasks: Premium AI tasks",
                "-1.60",
                "20 of 20 tasks included in the period are used.",
                about="writer/premium",
                key="allowance/writer/premium/quill-premium",
                count="20",
                unit="tasks",
            ),
            line(
                "credit",
                "100 premium tasks",
                "-7.76",
                "97 of 100 tasks used here, 3 tasks left.",
                about="grant-7",
                count="97",
                unit="tasks",
            ),
            line("top_up", "100 premium tasks", "7.00", "Bought on 2026-10-09: 100 tasks.", about="grant-7"),
            line(
                "payment",
                "Paid: 100 premium tasks",
                "-7.00",
                "Paid on 2026-10-09, when it was bought.",
                about="grant-7",
            ),
        ],
        standings=(
            Standing("allowance", "writer/premium", "Premium tasks", "premium_tasks", Decimal(20), Decimal(20)),
            Standing("credit", "grant-7", "100 premium tasks", "premium_tasks", Decimal(97), Decimal(100)),
        ),
        draws=(
            Draw("grant-7", "sold", "2026-10", "", ZERO, Decimal("7.00"), ZERO),
            Draw("grant-7", "drawn", "2026-10", "quill-premium", Decimal(97), Decimal("7.76"), Decimal("6.79")),
        ),
        carried_over=(
            Grant(
                "roll",
                "hooli",
                "rollover",
                "standard_tasks",
                "USD",
                Decimal(13),
                ZERO,
                top_up,
                funding="platform",
                label="Standard tasks, carried over from 2026-10",
                source="2026-10/writer/standard",
            ),
        ),
    )
    return StatementDocument(
        made.statement(),
        "QUILL-2026-000417",
        date(2026, 11, 2),
        None,
        Party("Quill Writing, Inc.", "548 Market Street\nSan Francisco, CA 94104"),
        Party("Hooli"),
    )


def premium_features() -> StatementDocument:
    """Folio: reports and pictures, with a tax."""
    made = Made(
        "folio",
        "globex",
        "GBP",
        [
            line(
                "usage",
                "AI help in the app, included",
                "0.00",
                "Find, explain and summarise, as often as you like to ask.",
                about="folio-ordinary",
                count="1284",
                unit="requests",
            ),
            line(
                "usage",
                "Reports",
                "16.18",
                "0.25 for each report, and what the AI costs.",
                about="folio-report",
                count="62",
                unit="reports",
                exact="16.182",
            ),
            line(
                "usage",
                "Premium reports",
                "15.58",
                "0.60 for each report by the premium model, and what the AI costs.",
                about="folio-premium-report",
                count="19",
                unit="reports",
                exact="15.5781057",
            ),
            line(
                "usage",
                "Pictures",
                "5.04",
                "0.12 for each picture.",
                about="folio-picture",
                count="42",
                unit="pictures",
            ),
            line(
                "usage",
                "AI help by a larger model",
                "0.11",
                "What the AI costs, and 30 % on top.",
                about="folio-other",
                exact="0.10906350",
            ),
            line(
                "allowance",
                "Two free reports: Reports",
                "-0.52",
                "2 of 2 reports included in the period are used.",
                about="archive/reports",
                count="2",
                unit="reports",
                exact="-0.522",
            ),
            line("tax", "VAT 20 %", "7.28", "20 % of 36.39 GBP.", about="gb-vat", exact="7.278"),
        ],
        standings=(Standing("allowance", "archive/reports", "Two free reports", "reports", Decimal(2), Decimal(2)),),
    )
    return StatementDocument(
        made.statement(),
        "FOLIO/2026/10/0093",
        date(2026, 11, 1),
        date(2026, 11, 15),
        Party("Folio Archives Ltd", "The Paper Mill\n12 Wharf Road\nBristol BS1 4RW\nVAT GB 123 4567 89"),
        Party("Globex Łódź Sp. z o.o.", "ul. Piotrkowska 104a\n90-926 Łódź\nPoland"),
        "Pay by bank transfer to IBAN GB00 FOLI 0000 0000 0000 00, and give the number of this statement.\nThank you!",
    )


def hybrid_subscription() -> StatementDocument:
    """Tally in Japan: charged in USD, paid in yen, which has no places."""
    rate = Decimal("151.25")

    def yen(
        kind: LineKind, label: str, usd: str, amount: str, reason: str, about: str, count: str, unit: str
    ) -> StatementLine:
        return line(
            kind,
            label,
            amount,
            reason,
            about=about,
            count=count,
            unit=unit,
            charge=usd,
            exact=f"{EXACT.multiply(Decimal(usd), rate):f}",
        )

    made = Made(
        "tally",
        "umbra",
        "JPY",
        [
            yen(
                "subscription",
                "Bookkeeping",
                "29.00",
                "4386",
                "The fee of the plan for the period.",
                "book",
                "1",
                "period",
            ),
            yen(
                "usage",
                "AI requests at cost",
                "4.1205",
                "623",
                "What the AI costs, nothing on top.",
                "tally-light",
                "2041",
                "requests",
            ),
            yen(
                "usage",
                "Standard AI requests",
                "11.30466",
                "1710",
                "What the AI costs, and 10 % on top.",
                "tally-standard",
                "3090",
                "requests",
            ),
            yen(
                "usage",
                "Premium AI requests",
                "122.40084",
                "18513",
                "What the AI costs, and 20 % on top; at most 2 a request.",
                "tally-premium",
                "120",
                "requests",
            ),
            yen(
                "cap",
                "Spend cap",
                "-37.825",
                "-5721",
                "Usage came to 137.825 USD, more than the cap of 100 USD for the period: you do not pay what is above.",
                "cap",
                "1",
                "",
            ),
            line("tax", "消費税 10 %", "1951", "10 % of 19511 JPY.", about="jp-tax", exact="1951.1", charge="0"),
        ],
        charge_currency="USD",
        standings=(Standing("cap", "cap", "Spend cap", "USD", Decimal("137.825"), Decimal(100)),),
    )
    made.lines[4] = made.lines[4]._replace(quantity=None, unit_price=None)
    return StatementDocument(
        made.statement(),
        "TALLY-000031",
        date(2026, 11, 1),
        date(2026, 11, 30),
        Party("Tally Accounting", "1 Harbour Place\nSingapore 018989"),
        Party("株式会社アンブラ (Umbra)", "東京都千代田区丸の内1-1-1\nTokyo 100-0005"),
    )


def agency_margin() -> StatementDocument:
    """Brightop: a retainer by the week, runs by contract, a minimum; in dinars, which have three places."""
    made = Made(
        "brightop",
        "acme",
        "BHD",
        [
            line(
                "subscription",
                "Retainer",
                "75.000",
                "The fee of the plan for 4 of the 7 days of the period; 1 day of trial is free.",
                count="4",
                unit="days",
            ),
            line(
                "usage",
                "Workflow runs, contract price",
                "8.106",
                "What the AI costs, with 15 % margin: your contract.",
                about="brightop-contract",
                count="315",
                unit="runs",
                exact="8.106494",
            ),
            line(
                "usage",
                "Light workflow runs",
                "0.349",
                "What the AI costs, with 40 % margin.",
                about="brightop-light-runs",
                count="1220",
                unit="runs",
                exact="0.348506",
            ),
            line(
                "tier",
                "Light workflow runs: price by quantity",
                "-0.105",
                "1220 runs in the period are priced by their number.",
                about="brightop-light-runs",
                exact="-0.1045518",
            ),
            line(
                "minimum",
                "Minimum",
                "1.650",
                "Usage came to 8.350448 BHD, less than the minimum of 10 BHD for the period.",
                about="minimum",
                exact="1.6495518",
            ),
            line("tax", "VAT, exempt", "0.000", "0 % of 85.000 BHD.", about="exempt"),
        ],
        period=Cycle("week", "Asia/Bahrain").holding(date(2026, 10, 8)),
    )
    return StatementDocument(
        made.statement(),
        "BT-0000007",
        date(2026, 10, 13),
        date(2026, 10, 27),
        Party("Brightop W.L.L.", "Building 12, Road 2803\nManama, Kingdom of Bahrain"),
        Party("ACME Trading"),
    )
