"""Hypothesis strategies: segments, URIs, trees."""

import unicodedata

from hypothesis import strategies as st

_FORBIDDEN = set("\\;\x7f\ufffd/\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

characters = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="".join(_FORBIDDEN))
"""Characters that a segment may hold."""

segments = (
    st.text(characters, min_size=1, max_size=20)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(lambda text: text not in {".", ".."} and not _FORBIDDEN & set(text))
)
"""Decoded path segments that a URI may have."""

paths = st.lists(segments, min_size=1, max_size=5).map("/".join)


def percent_encoded(text: str) -> str:
    """Escape every byte of a text."""
    return "".join(f"%{byte:02x}" for byte in text.encode())
