"""Which font writes which letter of a PDF; no letter is left out, and none becomes a question mark.

1  Noto Sans, embedded: Latin, Greek, Cyrillic, and the signs of currencies. All of its figures have one width.
2  FiraGO, embedded, for what Noto Sans lacks and can be written letter by letter: the true minus, Georgian, Thai.
3  For Chinese, Japanese and Korean a font that readers of PDF bring along, chosen once for a document: the first one
   whose letters hold all that is asked for. It is not embedded, and the document says so (`CJK_REMARK`).
4  Everything else is written by its number, ‹U+05D0›: a script that runs from the right or joins its letters would be
   wrong letter by letter, which is worse. The HTML statement shows it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO

from pymupdf_fonts import FiraGO_Bold, FiraGO_Regular, NotoSans_Bold, NotoSans_Regular
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

NUMBER_REMARK = "Letters that this file has no font for are written by their number, such as ‹U+05D0›."
CJK_REMARK = "Chinese, Japanese and Korean letters are shown in a font of your PDF reader."
_FIRST = {False: "tollstream-noto", True: "tollstream-noto-bold"}
_SECOND = {False: "tollstream-firago", True: "tollstream-firago-bold"}
# Scripts that would need their letters joined or turned around; FiraGO has some of them.
_NOT_BY_LETTER = ("HEBREW", "ARABIC", "DEVANAGARI", "SYRIAC", "THAANA", "NKO")
_CODECS = {"HeiseiKakuGo-W5": "cp932", "STSong-Light": "gbk", "HYGothic-Medium": "cp949"}
_JAPANESE, _CHINESE, _KOREAN = _CODECS
_BY_CURRENCY = {"JPY": _JAPANESE, "KRW": _KOREAN}


@cache
def _letters(font: str) -> frozenset[int]:
    """The code points that an embedded font has; registers it."""
    source = {
        _FIRST[False]: NotoSans_Regular, _FIRST[True]: NotoSans_Bold,
        _SECOND[False]: FiraGO_Regular, _SECOND[True]: FiraGO_Bold,
    }[font]  # fmt: skip
    made = TTFont(font, BytesIO(source.fontbuffer))
    pdfmetrics.registerFont(made)
    return frozenset(made.face.charToGlyph)


@cache
def _reader_font(name: str) -> str:
    pdfmetrics.registerFont(UnicodeCIDFont(name))
    return name


@dataclass(frozen=True, slots=True)
class Lettering:
    """The fonts of one document."""

    cjk: str  # the reader's font for Chinese, Japanese and Korean

    @staticmethod
    def for_text(texts: Iterable[str], currency: str) -> Lettering:
        """Fonts for all that a document says; where two would do, the currency tells."""
        asked = {letter for text in texts for letter in text if _is_cjk(letter)}
        order = [_BY_CURRENCY.get(currency, _CHINESE), *_CODECS]
        if any(_named(letter, "HIRAGANA", "KATAKANA") for letter in asked):
            order.insert(0, _JAPANESE)
        elif any(_named(letter, "HANGUL") for letter in asked):
            order.insert(0, _KOREAN)
        return Lettering(max(order, key=lambda font: sum(_encodes(font, letter) for letter in asked)))

    def runs(self, text: str, bold: bool) -> Iterator[tuple[str, str]]:
        """The text in pieces, each with the font that writes it."""
        font, piece = "", ""
        for letter in text:
            wanted, shown = self._letter(letter, bold)
            if wanted != font and piece:
                yield font, piece
                piece = ""
            font, piece = wanted, piece + shown
        if piece:
            yield font, piece

    def _letter(self, letter: str, bold: bool) -> tuple[str, str]:
        first, second = _FIRST[bold], _SECOND[bold]
        if ord(letter) in _letters(first):
            return first, letter
        if ord(letter) in _letters(second) and not _named(letter, *_NOT_BY_LETTER):
            return second, letter
        if _is_cjk(letter) and _encodes(self.cjk, letter):
            return _reader_font(self.cjk), letter
        return first, _number(letter)

    def width(self, text: str, size: float, bold: bool = False) -> float:
        """In points."""
        return sum(pdfmetrics.stringWidth(piece, font, size) for font, piece in self.runs(text, bold))

    def remarks(self, texts: Iterable[str]) -> list[str]:
        """What a reader has to know about the letters of these texts."""
        fonts = {self._letter(letter, False) for text in texts for letter in set(text)}
        found = [CJK_REMARK] if any(font == self.cjk for font, _ in fonts) else []
        return [*found, NUMBER_REMARK] if any(len(shown) > 1 for _, shown in fonts) else found


def _number(letter: str) -> str:
    return f"‹U+{ord(letter):04X}›"


def _is_cjk(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF" and ord(letter) <= 0xFFFF


def _encodes(font: str, letter: str) -> bool:
    """The letters of a standard's encoding are those that the reader's font is made for."""
    try:
        letter.encode(_CODECS[font])
    except UnicodeEncodeError:
        return False
    return True


def _named(letter: str, *scripts: str) -> bool:
    return unicodedata.name(letter, "").startswith(scripts)
