"""Requirements of the Model Context Protocol for this server, with the tests that verify them.

Each MUST and SHOULD of the specification that applies to a server of resources, prompts, completion and
read-only tools, in our own words, with the revision, the page and its section. Tests are identified by their
path under `tests/` and their function. `tests/test_requirements.py` fails for a requirement without a test,
for a test that does not exist, and for a module of rows that is missing here.

Modules are named after the parts of revision 2026-07-28; `handshake` has the additional requirements of
2025-11-25 and its predecessors. Requirements only for clients, for intermediaries, or for features that
this server does not have (sampling, elicitation, logging, progress, icons) are left out. Requirements
that only the tools of an app around Choirbook can meet (`x-mcp-header`, needed capabilities) are included.
`departures` has those that apply and are not met, with the reason.
"""

from tests.requirements.basic import BASIC
from tests.requirements.features import FEATURES
from tests.requirements.handshake import PREDECESSORS
from tests.requirements.patterns import PATTERNS
from tests.requirements.transports import TRANSPORTS
from tests.requirements.utilities import UTILITIES

REQUIREMENTS = (*BASIC, *TRANSPORTS, *PATTERNS, *FEATURES, *UTILITIES, *PREDECESSORS)
