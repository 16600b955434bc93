"""Requirements of 2025-11-25 and its predecessors beyond the newest revision."""

from tests.requirements.rows import FIRST, HANDSHAKE, MUST, MUST_NOT, SHOULD, page, row

_LIFECYCLE = page(
    HANDSHAKE,
    "basic/lifecycle",
    row(
        "Initialization",
        MUST,
        "initialize is answered with capabilities and who the server is.",
        "mcp/test_methods.py::test_initialize_settles_the_revision",
        "servers/test_mcp.py::test_handshake_settles_on_a_revision",
    ),
    row(
        "Version Negotiation",
        MUST,
        "The asked revision is used where it is served, else the newest of this era.",
        "mcp/test_methods.py::test_initialize_settles_the_revision",
    ),
    row(
        "Operation",
        MUST,
        "Only capabilities that were settled on are used.",
        "mcp/test_streamable_http.py::test_the_methods_of_the_other_era_are_not_there",
    ),
    row(
        "Error Handling",
        SHOULD,
        "initialize without a revision is an error, not a failure.",
        "mcp/test_methods.py::test_initialize_needs_a_revision",
    ),
)

_TRANSPORTS = page(
    HANDSHAKE,
    "basic/transports",
    row(
        "Sending Messages to the Server",
        MUST,
        "A posted notification or response is answered with 202 and no body.",
        "mcp/test_streamable_http.py::test_notifications_are_accepted",
        "mcp/test_streamable_http.py::test_posted_responses_are_accepted_in_the_handshake_era",
    ),
    row(
        "Protocol Version Header",
        SHOULD,
        "Without a header the revision is taken to be 2025-03-26.",
        "mcp/test_streamable_http.py::test_a_batch_is_answered_where_there_are_batches",
    ),
    row(
        "Protocol Version Header",
        MUST,
        "A header of a revision that is not served gets 400.",
        "mcp/test_protocol.py::test_without_a_claim_another_version_header_asks_for_the_meta",
    ),
    row(
        "Session Management: id",
        MUST,
        "A session's id is visible ASCII and cannot be guessed.",
        "mcp/sessions/test_http.py::test_a_client_that_reads_streams_gets_a_session_that_nobody_can_guess",
    ),
    row(
        "Session Management: end",
        MUST,
        "A session that has ended, or never was, gets 404.",
        "mcp/sessions/test_http.py::test_an_unknown_session_is_not_found",
        "mcp/sessions/test_http.py::test_a_session_that_its_client_ended_is_not_found",
        "servers/test_session_workers.py::test_no_worker_knows_a_session_that_has_ended",
    ),
    row(
        "Listening for Messages from the Server",
        MUST,
        "GET is answered with an event stream or with 405.",
        "servers/test_streams.py::test_session_is_told_over_its_one_stream",
        "mcp/sessions/test_http.py::test_other_methods_need_a_session",
    ),
    row(
        "Multiple Connections",
        MUST,
        "Each message is sent over one stream only.",
        "servers/test_streams.py::test_second_stream_of_a_session_is_refused",
        "servers/test_session_workers.py::test_second_stream_is_refused_by_every_worker",
    ),
)

_PING = page(
    HANDSHAKE,
    "basic/utilities/ping",
    row(
        "Behavior Requirements",
        MUST,
        "ping is answered at once with nothing.",
        "mcp/test_methods.py::test_ping_is_answered",
    ),
)

_RESOURCES = page(
    HANDSHAKE,
    "server/resources",
    row(
        "Error Handling",
        SHOULD,
        "A resource that does not exist gets -32002, an internal error -32603.",
        "mcp/test_streamable_http.py::test_a_resource_that_is_not_there",
        "mcp/test_streamable_http.py::test_an_unreadable_document",
    ),
    row(
        "Subscriptions",
        MUST,
        "What is advertised is done: changes of subscribed resources and of the listing are told.",
        "clients/test_subscriptions.py::test_edits_are_told_within_half_a_second",
        "clients/test_subscriptions.py::test_new_and_removed_documents_are_told",
        "clients/test_subscriptions.py::test_nothing_is_told_of_what_was_unsubscribed_from",
    ),
)

_BATCHES = page(
    FIRST,
    "basic/index",
    row(
        "Batching",
        MUST,
        "Batches are taken.",
        "mcp/test_streamable_http.py::test_a_batch_is_answered_where_there_are_batches",
        "clients/test_stdio.py::test_batch_is_answered_where_the_handshake_settled_on_the_revision_that_has_it",
    ),
    row(
        "Lifecycle: Initialization",
        MUST_NOT,
        "initialize is not part of a batch.",
        "mcp/test_streamable_http.py::test_initialize_is_refused_in_a_batch",
    ),
)

PREDECESSORS = (*_LIFECYCLE, *_TRANSPORTS, *_PING, *_RESOURCES, *_BATCHES)
