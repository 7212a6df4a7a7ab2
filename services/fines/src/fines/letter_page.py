"""HTML building blocks of letters: self-contained pages, laid out for printing on A4."""

from collections.abc import Iterable
from html import escape

_STYLE = """
@page { size: A4; margin: 12mm 16mm }
* { box-sizing: border-box }
body { font: 9pt/1.3 "Noto Sans", "DejaVu Sans", Arial, sans-serif; color: #111; margin: 0 }
h1 { font-size: 13pt; line-height: 1.25; margin: 0 0 3mm; text-align: center }
h1 span { display: block; font-size: 11pt; letter-spacing: .04em; margin-top: 1mm }
.warning { border: 2pt solid #c00; color: #c00; font-size: 12pt; font-weight: bold;
  padding: 2mm 4mm; margin: 0 0 3mm; text-align: center; print-color-adjust: exact }
.due { border: 1.5pt solid #111; padding: 2.5mm 4mm; margin: 0 0 3mm; break-inside: avoid }
.due dl { display: flex; gap: 12mm; margin: 0 }
.due dt { font-size: 8.5pt }
.due dd { font-size: 14pt; font-weight: bold; margin: 0; white-space: nowrap }
.due p { margin: 2mm 0 0 }
table { border-collapse: collapse; width: 100%; margin: 0 0 3mm }
th, td { border: .6pt solid #666; padding: .8mm 2mm; text-align: left; vertical-align: top }
th { width: 38%; font-weight: normal; background: #f1f1f1; print-color-adjust: exact }
td { overflow-wrap: anywhere }
ol { margin: 0 0 3mm; padding-left: 6mm }
.hash { font-family: "DejaVu Sans Mono", "Noto Sans Mono", monospace; font-size: 6.5pt;
  line-height: 1.4; overflow-wrap: anywhere; margin: 0 }
footer.hash { border-top: .6pt solid #666; margin-top: 3mm; padding-top: 2mm }
footer p { margin: 0 }
section + section { break-before: page }
@media screen {
  body { background: #ddd; padding: 8mm 0 }
  main { background: #fff; width: 210mm; max-width: 100%; margin: 0 auto; padding: 14mm 16mm }
  section + section { border-top: 1pt dashed #999; margin-top: 10mm; padding-top: 10mm }
}
""".strip()


def page(number: str, body: Iterable[str]) -> str:
    return (
        '<!doctype html><html lang="kk"><head><meta charset="utf-8">'
        f"<title>{escape(number)}</title>\n<style>\n{_STYLE}\n</style></head><body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def heading(title: str, number: str) -> str:
    return f"<h1>{escape(title)}<span>№ {escape(number)}</span></h1>"


def warning(text: str, language: str) -> str:
    return f'<p class="warning" lang="{language}">{escape(text)}</p>'


def sums(amounts: Iterable[tuple[str, str]], note: str) -> str:
    """Return an HTML box with the amounts to be paid, given as pairs of label and amount. `note` is
    the text below them, which states the deadline."""
    cells = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(amount)}</dd></div>" for label, amount in amounts
    )
    return f'<div class="due"><dl>{cells}</dl><p>{escape(note)}</p></div>'


def table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>\n" for label, value in rows
    )
    return f"<table>\n{cells}</table>"


def listed(items: Iterable[str]) -> str:
    return "<ol>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ol>"


def hashes(label: str, values: Iterable[str]) -> str:
    return f'<p class="hash">{escape(label)}: {escape(", ".join(values))}</p>'
