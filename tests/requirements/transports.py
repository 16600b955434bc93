"""Streamable HTTP and stdio."""

from tests.requirements.rows import MODERN, MUST, MUST_NOT, SHOULD, page, row

_BOTH = page(
    MODERN,
    "basic/transports/index",
    row(
        "Messages",
        MUST,
        "Messages are UTF-8.",
        "mcp/test_messages.py::test_a_body_is_not_read_that_is_or_has",
        "mcp/test_streamable_http.py::test_bad_json",
    ),
)

_HTTP = page(
    MODERN,
    "basic/transports/streamable-http",
    row(
        "",
        MUST,
        "One endpoint takes POST.",
        "mcp/test_streamable_http.py::test_a_resource_is_read_in_both_eras",
    ),
    row(
        "Security & Endpoint",
        MUST,
        "Origin is looked at on every connection, and a foreign one gets 403.",
        "http/test_allowed_hosts.py::test_other_pages_may_not",
        "http/test_allowed_hosts.py::test_no_route_answers_a_stranger",
        "servers/test_refusals.py::test_page_of_another_origin_is_forbidden",
    ),
    row(
        "Security & Endpoint",
        SHOULD,
        "It listens on loopback only, unless told otherwise.",
        "test_settings.py::test_without_anything_said_the_starter_library_is_served_on_loopback",
        "servers/test_starting.py::test_host_beyond_loopback_needs_public",
    ),
    row(
        "Sending Messages",
        MUST,
        "A body is one request or notification, no batch and no response.",
        "mcp/test_streamable_http.py::test_a_batch_is_no_message_of_the_modern_era",
        "mcp/test_streamable_http.py::test_a_posted_response_is_no_message_of_the_modern_era",
    ),
    row(
        "Sending Messages",
        MUST,
        "An accepted notification is answered with 202 and no body.",
        "mcp/test_streamable_http.py::test_notifications_of_the_modern_era_are_accepted",
        "servers/test_mcp.py::test_notifications_are_accepted_without_a_word",
    ),
    row(
        "Sending Messages",
        MUST,
        "A notification that cannot be accepted gets an HTTP error.",
        "mcp/test_protocol.py::test_a_notification_needs_the_version_header_only",
        "mcp/test_requirements.py::test_a_notification_that_is_not_accepted_gets_an_error_of_http",
    ),
    row(
        "Sending Messages",
        MUST,
        "A request is answered with JSON or an event stream.",
        "mcp/test_streamable_http.py::test_a_resource_is_read_in_both_eras",
        "mcp/test_streamable_http.py::test_an_answer_that_is_not_accepted",
    ),
    row(
        "Receiving Messages",
        MUST_NOT,
        "The server sends no requests.",
        "mcp/test_requirements.py::test_every_result_says_that_it_is_complete",
        "conformance/test_suite.py::test_all_scenarios_end_as_the_baseline_says",
    ),
    row(
        "Cancellation",
        MUST,
        "A client that hangs up has cancelled, without harm to others.",
        "library/test_library.py::test_a_reader_that_hangs_up_fails_no_other",
        "servers/test_wire.py::test_body_that_ends_early_harms_nobody",
    ),
    row(
        "Protocol Version Header",
        MUST,
        "MCP-Protocol-Version is on every POST and says what _meta says, else 400 and -32020.",
        "mcp/test_streamable_http.py::test_a_header_missing_or_different",
        "mcp/test_protocol.py::test_headers_differ_from_the_body_that_have",
    ),
    row(
        "Protocol Version Header",
        MUST,
        "A revision that is not served gets 400 and the list of those that are.",
        "mcp/test_streamable_http.py::test_a_version_that_is_not_served",
    ),
    row(
        "Protocol Version Header",
        MUST,
        "A method that is not there gets 404 and -32601.",
        "mcp/test_streamable_http.py::test_a_method_that_is_not_there",
        "mcp/tools/test_feature.py::test_tools_can_be_switched_off",
    ),
    row(
        "Standard Request Headers",
        MUST,
        "Mcp-Method, and Mcp-Name on resources/read, tools/call and prompts/get, are there and agree.",
        "mcp/test_protocol.py::test_other_named_methods_have_their_name_checked",
        "mcp/test_protocol.py::test_methods_without_a_name_need_no_name_header",
        "mcp/test_requirements.py::test_a_name_in_the_header_agrees_with_the_body",
    ),
    row(
        "Value Encoding",
        MUST,
        "Mcp-Name is decoded from its Base64 form before it is compared.",
        "mcp/test_protocol.py::test_blanks_and_base64_are_taken_off_a_name",
        "mcp/test_protocol.py::test_any_name_can_be_sent_in_base64",
    ),
    row(
        "Server Behavior for Custom Headers",
        MUST,
        "A header that repeats an argument agrees with it, decoded; one with other characters is refused.",
        "mcp/tools/test_mirrored_headers.py::test_a_header_that_says_what_the_argument_says_is_taken",
        "mcp/tools/test_mirrored_headers.py::test_any_other_header_is_refused_by_name",
        "mcp/tools/test_own_tools.py::test_a_mirrored_argument_agrees_with_its_header",
    ),
    row(
        "Server Behavior for Custom Headers",
        MUST_NOT,
        "No header is expected for an argument that is null or left out.",
        "mcp/tools/test_mirrored_headers.py::test_an_argument_left_out_needs_no_header",
    ),
    row(
        "Server Validation",
        SHOULD,
        "Whole numbers are compared as numbers.",
        "mcp/tools/test_mirrored_headers.py::test_a_header_that_says_what_the_argument_says_is_taken",
    ),
    row(
        "Schema Extension",
        MUST,
        "An x-mcp-header is a token, used once, of a text, a whole number or a truth value.",
        "mcp/tools/test_mirrored_headers.py::test_a_definition_that_clients_would_leave_out_is_refused",
    ),
    row(
        "Case Sensitivity",
        MUST,
        "Names of headers have no case, their values have one.",
        "mcp/test_requirements.py::test_headers_have_no_case_and_their_values_have_one",
    ),
    row(
        "Server Validation",
        MUST,
        "Headers that differ from the body are refused with 400 and -32020, and so is one that comes twice.",
        "mcp/test_streamable_http.py::test_a_header_missing_or_different",
        "mcp/test_streamable_http.py::test_a_header_that_is_there_twice",
    ),
    row(
        "Earlier Streamable HTTP Revisions",
        SHOULD,
        "GET and DELETE are no methods of the modern endpoint: 405.",
        "mcp/test_streamable_http.py::test_another_http_method",
        "servers/test_refusals.py::test_mcp_endpoint_takes_posts_only",
    ),
)

_STDIO = page(
    MODERN,
    "basic/transports/stdio",
    row(
        "",
        MUST_NOT,
        "A message is one line, without a line feed inside.",
        "mcp/test_requirements.py::test_no_message_holds_a_line_feed",
    ),
    row(
        "",
        MUST_NOT,
        "stdout carries messages of the protocol and nothing else.",
        "clients/test_stdio.py::test_problems_of_the_library_are_not_said_on_stdout",
        "clients/test_stdio.py::test_garbage_gets_an_error_each_and_the_next_line_its_answer",
    ),
    row(
        "Cancellation",
        MUST_NOT,
        "Nothing is sent for a request that was cancelled.",
        "clients/test_stdio.py::test_request_taken_back_is_not_answered",
    ),
    row(
        "Shutdown",
        SHOULD,
        "The server ends soon after its input does.",
        "clients/test_stdio.py::test_nothing_sent_is_nothing_said",
        "clients/test_stdio.py::test_everything_in_flight_is_answered_after_the_end_of_input",
    ),
)

TRANSPORTS = (*_BOTH, *_HTTP, *_STDIO)
