"""A table of prices becomes entries; a mistake is told with its line and column."""

from __future__ import annotations

import pytest

from billing.documents import BookError
from billing.prices.importers.contract import ImportedBook
from billing.prices.importers.csv_table import COLUMNS, import_csv
from topics.meters import load_catalogue

HEADER = "provider,model,mode,meter,price,per,above,hours_from,hours_to,days\n"


def _imported(text: str) -> ImportedBook:
    return import_csv(text, name="prices.csv", catalogue=load_catalogue())


def test_lines_of_one_model_are_one_entry_with_its_conditions() -> None:
    imported = _imported(
        HEADER
        + "acme,m,,input_tokens,2.50,1000000,,,,\n"
        + "acme,m,,output_tokens,0.00001,,,,,\n"
        + "acme,m,,input_tokens,5,1000000,200000,,,\n"
        + "acme,m,,input_tokens,1,1000000,,16:30,00:30,mon sat\n"
        + "acme,m,,output_tokens,4,1000000,,16:30,00:30,mon sat\n"
        + "acme,m,,input_tokens,2,1000000,200000,16:30,00:30,mon sat\n"
        + "acme,m,batch,input_tokens,1.25,1000000,,,,\n"
    )
    standard, batch = imported.entries
    assert {meter: str(price.unit_price) for meter, price in standard.meters.items()} == {
        "input_tokens": "0.0000025",
        "output_tokens": "0.00001",
    }
    assert [tier.words for tier in standard.tiers] == ["above 200000"]
    [hours] = standard.hours
    assert (hours.words, set(hours.meters)) == ("16:30 to 00:30 UTC, mon sat", {"input_tokens", "output_tokens"})
    assert [tier.words for tier in hours.tiers] == ["above 200000"]
    assert (batch.mode, imported.coverage.taken) == ("batch", 7)


def test_columns_stand_in_any_order_and_a_spreadsheets_mark_and_blank_lines_do_not_matter() -> None:
    imported = _imported(
        "\ufeffPrice, meter,model,provider,region,source,url\n\n0.1,generated_images,m,acme,eu,contract 7,\n,,,,,,\n"
    )
    [entry] = imported.entries
    assert (entry.region, entry.provenance and entry.provenance.source) == ("eu", "contract 7")


def test_a_line_with_alias_of_names_another_name() -> None:
    imported = _imported(
        "provider,model,meter,price,alias_of\nacme,m,input_tokens,1,\nacme,m-latest,,,m\nacme,m-1,,,m\n"
    )
    assert [(alias.model, alias.names) for alias in imported.aliases] == [("m", ("m-latest", "m-1"))]


@pytest.mark.parametrize(
    ("column", "value"), [("price", "1"), ("meter", "input_tokens"), ("mode", "batch"), ("above", "5")]
)
def test_what_only_a_price_has_is_refused_beside_an_alias(column: str, value: str) -> None:
    header = "provider,model,meter,price,alias_of,mode,above\nacme,m,input_tokens,1,,,\n"
    cells = {"provider": "acme", "model": "m-1", "alias_of": "m", column: value}
    columns = header.splitlines()[0].split(",")
    with pytest.raises(BookError, match=f"line 3, column {column}: a line with alias_of has no price"):
        _imported(header + ",".join(cells.get(each, "") for each in columns))


LINE = "acme,m,standard,input_tokens,1,,,,,"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "prices.csv: the file is empty; its first line has to name the columns: " + ", ".join(COLUMNS)),
        (HEADER, "prices.csv: the table has no line below its header: there is no price to import"),
        (HEADER + "\n , \n", "prices.csv: the table has no line below its header: there is no price to import"),
        ("provider,model,price\n", "prices.csv, line 1: the column meter is missing"),
        ("provider,model,meter,price,cost\n", "prices.csv, line 1: no such column: 'cost'; there are provider, model"),
        ("provider,model,meter,price,price\n", "prices.csv, line 1: the column price is there twice"),
        (HEADER + ",m,,input_tokens,1,,,,,", "prices.csv, line 2, column provider: is empty"),
        (HEADER + "acme,m,,input_tokens,,,,,,", "prices.csv, line 2, column price: is empty"),
        (HEADER + LINE + "\nacme,m,,,1,,,,,", "prices.csv, line 3, column meter: is empty"),
        (
            HEADER + "acme,m,slow,input_tokens,1,,,,,",
            "line 2, column mode: 'slow' is none of standard, batch, flex, priority",
        ),
        (
            HEADER + "acme,m,,input_token,1,,,,,",
            "line 2, column meter: 'input_token' is no inference meter of the catalogue",
        ),
        (HEADER + "acme,m,,messages,1,,,,,", "line 2, column meter: 'messages' is no inference meter of the catalogue"),
        (HEADER + 'acme,m,,input_tokens,"1,5",,,,,', "line 2, column price: '1,5' is no decimal number"),
        (HEADER + "acme,m,,input_tokens,$1,,,,,", "line 2, column price: '$1' is no decimal number"),
        (HEADER + "acme,m,,input_tokens,2_50,,,,,", "line 2, column price: '2_50' is no plain decimal number"),
        (HEADER + "acme,m\0,,input_tokens,1,,,,,", "line 2, column model: 'm\\x00' is no name that an event can have"),
        (HEADER + f"acme,m,,input_tokens,1,{'9' * 5000},,,,", "is no whole number"),
        (HEADER + "acme,m,,input_tokens,-1,,,,,", "line 2, column price: -1 is outside 0"),
        (HEADER + "acme,m,,input_tokens,1,7,,,,", "line 2, column price: price per unit"),
        (HEADER + "acme,m,,input_tokens,1,1e6,,,,", "line 2, column per: '1e6' is no whole number"),
        (HEADER + "acme,m,,input_tokens,1,0,,,,", "line 2, column per: 0 is outside 1 to 1000000000"),
        (HEADER + "acme,m,,input_tokens,1,,200k,,,", "line 2, column above: '200k' is no whole number"),
        (HEADER + LINE + "\n" + LINE, "line 3, column meter: input_tokens of this model has a price already"),
        (HEADER + "acme,m,,input_tokens,1,,5,,,", "line 2, column price: acme / m has prices under conditions only"),
        (HEADER + LINE + "\nacme,m,,input_tokens,2,,,16:30,,", "line 3, column hours_to: is empty"),
        (
            HEADER + LINE + "\nacme,m,,input_tokens,2,,,,,mon",
            "line 3, column hours_from: is empty: a zone and days belong to hours",
        ),
        (HEADER + LINE + "\nacme,m,,input_tokens,2,,,4 pm,5 pm,", "lines from 2: hours.1: '4 pm' is no time of day"),
        (HEADER + "acme,m,,input_tokens,1,5,000,,,,", "line 2: 11 cells, but 10 columns: is a comma not quoted?"),
        (HEADER + 'acme,m,,input_tokens,"1,,,,,', "prices.csv, line 2: no valid CSV"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_column(text: str, sentence: str) -> None:
    with pytest.raises(BookError) as refused:
        _imported(text)
    assert sentence in str(refused.value)


def test_above_and_from_are_two_ways_to_say_where_a_tier_begins() -> None:
    header = "provider,model,meter,price,above,from\nacme,m,input_tokens,1,,\n"
    [entry] = _imported(header + "acme,m,input_tokens,2,,200000\n").entries
    assert [tier.words for tier in entry.tiers] == ["from 200000"]
    with pytest.raises(BookError, match="line 3, column from: a tier has either `above`"):
        _imported(header + "acme,m,input_tokens,2,5,5\n")
