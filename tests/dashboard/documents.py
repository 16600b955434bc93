"""A library with documents of all kinds, some of them hostile."""

from __future__ import annotations

WELCOME = """# Naming things

Use the words of the field. A name says what a thing is.

## Tables

| word | meaning |
|------|--------:|
| choirbook | a desk in a library |

See [the standard](https://standards.example/naming) and [the core](mcp://resources/sdlc/core).
"""

HOSTILE_MARKDOWN = """# Hostile

<script>window.hacked = "script"; alert(1)</script>
<img src=x onerror="window.hacked = 'onerror'">
<svg onload="window.hacked = 'svg'"><script>window.hacked = 'svg script'</script></svg>
<iframe src="https://elsewhere.example/frame"></iframe>
<style>body { display: none }</style>
<meta http-equiv="refresh" content="0; url=https://elsewhere.example/">
<base href="https://elsewhere.example/">

[click me](javascript:window.hacked='link') and <javascript:window.hacked='auto'> and
[me](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)

![picture](https://elsewhere.example/pixel.png)
"""

HOSTILE_SVG = """<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked = 'svg'">
<script>window.hacked = "svg script"; alert(1)</script>
<image href="https://elsewhere.example/pixel.png"/>
</svg>
"""

HOSTILE_TITLE = "<prd><title>&lt;img src=x onerror=&quot;window.hacked='title'&quot;&gt;</title></prd>\n"

LONG_LINE_BYTES = 5_000_000

LIBRARY: dict[str, str | bytes] = {
    "sdlc-core.md": WELCOME,
    "python/patterns-core.md": "# Python core\n\nHow we write Python, plainly.\n",
    "go/patterns-core.md": "# Go core\n\nHow we write Go, plainly.\n",
    "templates/prd-template.xml": HOSTILE_TITLE,
    "hostile/markdown.md": HOSTILE_MARKDOWN,
    "hostile/picture.svg": HOSTILE_SVG,
    "hostile/page.html": HOSTILE_MARKDOWN,
    "hostile/line.md": b"# A long line\n\n" + b"<script>window.hacked=1</script> " * (LONG_LINE_BYTES // 33),
    "notes/never.txt": "Nobody reads this.\n",
    "images/pixel.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
}

HOSTILE = (
    "mcp://resources/files/hostile/markdown.md",
    "mcp://resources/files/hostile/picture.svg",
    "mcp://resources/files/hostile/page.html",
    "mcp://resources/files/hostile/line.md",
    "mcp://resources/templates/prd-template",
)
