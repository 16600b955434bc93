"""Requests that last: cancellation and subscriptions."""

from tests.requirements.rows import MODERN, MUST, MUST_NOT, SHOULD, page, row

_CANCELLATION = page(
    MODERN,
    "basic/patterns/cancellation",
    row(
        "Behavior Requirements",
        SHOULD,
        "A cancelled request is stopped, let go of, and not answered.",
        "clients/test_stdio.py::test_request_taken_back_is_not_answered",
    ),
    row(
        "Error Handling",
        SHOULD,
        "A cancellation of something unknown, or ended, or malformed is passed over.",
        "clients/test_stdio.py::test_request_that_is_unknown_cannot_be_taken_back",
    ),
    row(
        "Overview",
        MUST,
        "A subscription that the server tears down is cancelled by its request's id, where no stream closes.",
        "clients/test_stdio.py::test_subscription_ends_as_it_should_with_the_input",
    ),
)

_SUBSCRIPTIONS = page(
    MODERN,
    "basic/patterns/subscriptions",
    row(
        "Opening a Stream",
        MUST_NOT,
        "No kind of notification is sent that was not asked for.",
        "servers/test_streams.py::test_what_was_not_asked_for_is_not_honoured",
        "mcp/test_open_streams.py::test_each_is_told_of_what_it_watches_and_of_nothing_else",
    ),
    row(
        "Acknowledgment",
        MUST,
        "The acknowledgement is the first message, and carries the subscription's id.",
        "servers/test_streams.py::test_acknowledgement_comes_first_and_has_what_is_honoured",
        "mcp/test_client_stream.py::test_the_opening_comes_first_and_the_closing_last",
    ),
    row(
        "Receiving Notifications",
        MUST,
        "Every notification carries the id of the request that opened the stream.",
        "mcp/test_notification_messages.py::test_a_change_is_told_by_the_uri_and_the_id_of_the_subscription",
        "mcp/test_notification_messages.py::test_the_type_of_the_id_is_kept",
        "clients/test_subscriptions.py::test_several_subscriptions_of_one_client_are_told_apart",
    ),
    row(
        "Graceful Closure",
        SHOULD,
        "A stream that the server ends is completed by the result of its request.",
        "servers/test_streams.py::test_streams_end_well_when_the_server_is_told_to_stop",
        "clients/test_stdio.py::test_subscription_ends_as_it_should_with_the_input",
    ),
    row(
        "Cancellation",
        MUST,
        "A client that closes its stream, or takes the request back, ends the subscription.",
        "servers/test_streams.py::test_client_that_hangs_up_is_noticed",
        "clients/test_stdio.py::test_subscription_taken_back_gets_no_answer",
        "clients/test_subscriptions.py::test_subscription_that_was_left_is_ended",
    ),
)

PATTERNS = (*_CANCELLATION, *_SUBSCRIPTIONS)
