"""What the Model Context Protocol asks of this server, and the tests that hold it to that.

Each MUST and SHOULD of the specification that applies to a server of resources, prompts, completion and
read-only tools, in own words, with the revision, the page and its section. Tests are named by their path
under `tests/` and their function. `tests/test_requirements.py` fails for a requirement without a test, for
a test that does not exist, and for a module of rows that is left out here.

Modules are named for the parts of revision 2026-07-28; `handshake` has what 2025-11-25 and its predecessors
ask beyond that. What asks something of clients alone, of intermediaries, or of features that this server does
not have (sampling, elicitation, logging, progress, icons) is left out. What only the tools of an app around
Choirbook can have (`x-mcp-header`, needed capabilities) is here. `departures` has what applies and is not done,
with the reason.
"""

from tests.requirements.basic import BASIC
from tests.requirements.features import FEATURES
from tests.requirements.handshake import PREDECESSORS
from tests.requirements.patterns import PATTERNS
from tests.requirements.transports import TRANSPORTS
from tests.requirements.utilities import UTILITIES

REQUIREMENTS = (*BASIC, *TRANSPORTS, *PATTERNS, *FEATURES, *UTILITIES, *PREDECESSORS)
