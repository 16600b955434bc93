"""Requirements that apply and are not met on purpose, with the reason."""

from tests.requirements.rows import MODERN, MUST, SHOULD, Departure

DEPARTURES = (
    Departure(
        MODERN,
        "server/tools#Structured Content",
        SHOULD,
        "A tool with structured content also returns it as serialised JSON in a text.",
        "The text says the same for a model to read: a document as it is, not one in JSON.",
    ),
    Departure(
        MODERN,
        "server/prompts#Error Handling",
        SHOULD,
        "A missing required argument gets -32602.",
        "No argument is required: a template that is filled in by half is what an agent works with.",
    ),
    Departure(
        MODERN,
        "server/tools#Security Considerations",
        MUST,
        "Calls of tools, and completions, are limited in rate.",
        "Bodies, values, results and waiting searches are bounded, so that no call costs much. A limit by "
        "client needs to know clients, which a server on loopback without a login does not; before a public "
        "one stands a proxy that does.",
    ),
    Departure(
        MODERN,
        "basic/transports/streamable-http#Security & Endpoint",
        SHOULD,
        "Connections are authenticated.",
        "It listens on loopback unless `--public` says that others may read without logging in.",
    ),
)
