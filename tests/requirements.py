"""What the Model Context Protocol asks of this server, and the tests that hold it to that.

Each MUST and SHOULD of the specification that applies to a server of resources, prompts, completion and
read-only tools, in own words, with the revision, the page and its section. Tests are named by their path
under `tests/` and their function. `tests/test_requirements.py` fails for a requirement without a test, and
for a test that does not exist.

Pages of revision 2026-07-28 come first, then what 2025-11-25 and its predecessors ask beyond that. What asks
something of clients alone, of intermediaries, or of features that this server does not have (sampling,
elicitation, logging, progress, icons) is left out. What only the tools of an app around Carrel can have
(`x-mcp-header`, needed capabilities) is here. `DEPARTURES` has what applies and is not done, with the reason.
"""

from __future__ import annotations

from typing import NamedTuple

MUST, MUST_NOT, SHOULD, SHOULD_NOT = "MUST", "MUST NOT", "SHOULD", "SHOULD NOT"

MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
FIRST = "2025-03-26"
"""The first revision that is served; it alone has batches."""


class Requirement(NamedTuple):
    """One sentence of the specification."""

    revision: str
    section: str
    """Page, and heading behind `#`."""
    level: str
    sentence: str
    tests: tuple[str, ...]


class Departure(NamedTuple):
    """A requirement that is not met on purpose."""

    revision: str
    section: str
    level: str
    sentence: str
    reason: str


class _Row(NamedTuple):
    """A requirement without the page that it is on."""

    heading: str
    level: str
    sentence: str
    tests: tuple[str, ...]


def _row(heading: str, level: str, sentence: str, *tests: str) -> _Row:
    return _Row(heading, level, sentence, tests)


def _page(revision: str, page: str, *rows: _Row) -> tuple[Requirement, ...]:
    """Make the requirements of one page under `docs/specification/<revision>/`."""
    return tuple(
        Requirement(revision, f"{page}#{row.heading}", row.level, row.sentence, row.tests) for row in rows
    )


_BASE = _page(
    MODERN,
    "basic/index",
    _row(
        "Messages",
        MUST,
        "Messages are JSON-RPC 2.0.",
        "mcp/test_messages.py::test_an_envelope_is_refused_that_is_or_has",
        "mcp/test_streamable.py::test_a_bad_envelope",
    ),
    _row(
        "Requests",
        MUST_NOT,
        "An id is a string or an integer, never null.",
        "mcp/test_messages.py::test_another_id_is_refused_and_not_echoed",
    ),
    _row(
        "Result Responses",
        MUST,
        "A response has the id of its request.",
        "mcp/test_streamable.py::test_the_id_comes_back_as_it_was",
        "mcp/test_messages.py::test_an_id_that_is_echoed_is_the_one_that_was_sent",
    ),
    _row(
        "Result Responses",
        MUST,
        "A successful response has a result, and the result says its resultType.",
        "mcp/test_requirements.py::test_every_result_says_that_it_is_complete",
    ),
    _row(
        "Error Responses",
        MUST,
        "An error has the id of its request, unless that could not be read.",
        "mcp/test_protocol.py::test_an_id_that_is_not_known_is_left_out",
        "mcp/test_streamable.py::test_bad_json",
    ),
    _row(
        "Error Responses",
        MUST,
        "An error has a message and a code that is an integer.",
        "mcp/test_protocol.py::test_an_error_tells_code_message_and_data",
    ),
    _row(
        "Error Codes",
        MUST_NOT,
        "No code between -32099 and -32020 that the specification does not define.",
        "mcp/test_requirements.py::test_only_codes_of_the_specification_are_used",
    ),
    _row(
        "Error Codes",
        SHOULD_NOT,
        "No code between -32019 and -32000.",
        "mcp/test_requirements.py::test_only_codes_of_the_specification_are_used",
    ),
    _row(
        "Error Codes",
        MUST_NOT,
        "-32002 and -32042 belong to older revisions.",
        "mcp/test_requirements.py::test_only_codes_of_the_specification_are_used",
        "mcp/test_streamable.py::test_a_resource_that_is_not_there",
    ),
    _row(
        "Notifications",
        MUST_NOT,
        "A notification gets no response.",
        "mcp/test_streamable.py::test_notifications_of_the_modern_era_are_accepted",
        "mcp/test_streamable.py::test_a_notification_of_a_request_is_carried_out_silently",
        "clients/test_stdio.py::test_notifications_and_blank_lines_get_no_answer",
    ),
    _row(
        "Statelessness",
        MUST_NOT,
        "No request depends on another one of the same connection.",
        "clients/test_stdio.py::test_both_eras_can_be_spoken_over_one_pipe",
        "mcp/test_requirements.py::test_any_request_may_be_the_first",
    ),
    _row(
        "Statelessness",
        SHOULD_NOT,
        "Related requests need not come over one connection or to one process.",
        "test_paging.py::test_a_cursor_gives_its_uri_back",
        "test_parts.py::test_a_cursor_gives_back_what_went_in",
        "mcp/test_requirements.py::test_a_cursor_is_good_at_another_process",
    ),
    _row(
        "Schema Validation",
        MUST,
        "Schemas are valid JSON Schema 2020-12.",
        "mcp/tools/test_feature.py::test_every_tool_says_what_it_takes_and_returns",
    ),
    _row(
        "_meta",
        MUST,
        "Keys in _meta have a prefix of labels, and a name that begins and ends with a letter or digit.",
        "mcp/test_requirements.py::test_keys_in_meta_are_named_as_the_specification_asks",
    ),
    _row(
        "_meta",
        MUST,
        "A request that lacks a required field of _meta gets -32602, and 400 on HTTP.",
        "mcp/test_streamable.py::test_a_required_key_of_the_meta_missing",
        "mcp/test_streamable.py::test_the_meta_missing",
    ),
    _row(
        "_meta",
        MUST_NOT,
        "Nothing relies on a capability that the client did not declare; -32021 says which one it is.",
        "mcp/test_requirements.py::test_any_request_may_be_the_first",
        "mcp/tools/test_own_tools.py::test_a_tool_answers_only_clients_that_declare_what_it_needs",
    ),
    _row(
        "_meta",
        SHOULD,
        "Every result names the server.",
        "mcp/test_requirements.py::test_every_result_says_that_it_is_complete",
    ),
)

_VERSIONING = _page(
    MODERN,
    "basic/versioning",
    _row(
        "Protocol Version Negotiation",
        MUST,
        "A revision that is not served is refused with -32022 and the list of those that are.",
        "mcp/test_streamable.py::test_a_version_that_is_not_served",
        "mcp/test_protocol.py::test_a_version_that_is_not_served_is_told_with_those_that_are",
        "servers/test_mcp.py::test_unsupported_revision_is_told_which_there_are",
    ),
    _row(
        "Protocol Version Negotiation",
        MUST,
        "There is server/discover.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
        "servers/test_mcp.py::test_discovery_tells_the_same_to_everybody",
    ),
    _row(
        "Backward Compatibility with Initialization-Based Versions",
        SHOULD,
        "A modern initialize is told that there is no such method.",
        "mcp/test_streamable.py::test_the_methods_of_the_other_era_are_not_there",
        "mcp/test_protocol.py::test_a_claim_makes_even_initialize_modern",
    ),
)

_HTTP = _page(
    MODERN,
    "basic/transports/streamable-http",
    _row(
        "",
        MUST,
        "One endpoint takes POST.",
        "mcp/test_streamable.py::test_a_resource_is_read_in_both_eras",
    ),
    _row(
        "Security & Endpoint",
        MUST,
        "Origin is looked at on every connection, and a foreign one gets 403.",
        "http/test_edge.py::test_other_pages_may_not",
        "http/test_edge.py::test_no_route_answers_a_stranger",
        "servers/test_refusals.py::test_page_of_another_origin_is_forbidden",
    ),
    _row(
        "Security & Endpoint",
        SHOULD,
        "It listens on loopback only, unless told otherwise.",
        "test_settings.py::test_without_anything_said_the_starter_library_is_served_on_loopback",
        "servers/test_starting.py::test_host_beyond_loopback_needs_public",
    ),
    _row(
        "Sending Messages",
        MUST,
        "A body is one request or notification, no batch and no response.",
        "mcp/test_streamable.py::test_a_batch_is_no_message_of_the_modern_era",
        "mcp/test_streamable.py::test_a_posted_response_is_no_message_of_the_modern_era",
    ),
    _row(
        "Sending Messages",
        MUST,
        "An accepted notification is answered with 202 and no body.",
        "mcp/test_streamable.py::test_notifications_of_the_modern_era_are_accepted",
        "servers/test_mcp.py::test_notifications_are_accepted_without_a_word",
    ),
    _row(
        "Sending Messages",
        MUST,
        "A notification that cannot be accepted gets an HTTP error.",
        "mcp/test_protocol.py::test_a_notification_needs_the_version_header_only",
        "mcp/test_requirements.py::test_a_notification_that_is_not_accepted_gets_an_error_of_http",
    ),
    _row(
        "Sending Messages",
        MUST,
        "A request is answered with JSON or an event stream.",
        "mcp/test_streamable.py::test_a_resource_is_read_in_both_eras",
        "mcp/test_streamable.py::test_an_answer_that_is_not_accepted",
    ),
    _row(
        "Receiving Messages",
        MUST_NOT,
        "The server sends no requests.",
        "mcp/test_requirements.py::test_every_result_says_that_it_is_complete",
        "conformance/test_suite.py::test_all_scenarios_end_as_the_baseline_says",
    ),
    _row(
        "Cancellation",
        MUST,
        "A client that hangs up has cancelled, without harm to others.",
        "test_library.py::test_a_reader_that_hangs_up_fails_no_other",
        "servers/test_wire.py::test_body_that_ends_early_harms_nobody",
    ),
    _row(
        "Protocol Version Header",
        MUST,
        "MCP-Protocol-Version is on every POST and says what _meta says, else 400 and -32020.",
        "mcp/test_streamable.py::test_a_header_missing_or_different",
        "mcp/test_protocol.py::test_headers_differ_from_the_body_that_have",
    ),
    _row(
        "Protocol Version Header",
        MUST,
        "A revision that is not served gets 400 and the list of those that are.",
        "mcp/test_streamable.py::test_a_version_that_is_not_served",
    ),
    _row(
        "Protocol Version Header",
        MUST,
        "A method that is not there gets 404 and -32601.",
        "mcp/test_streamable.py::test_a_method_that_is_not_there",
        "mcp/tools/test_feature.py::test_tools_can_be_switched_off",
    ),
    _row(
        "Standard Request Headers",
        MUST,
        "Mcp-Method, and Mcp-Name on resources/read, tools/call and prompts/get, are there and agree.",
        "mcp/test_protocol.py::test_other_named_methods_have_their_name_checked",
        "mcp/test_protocol.py::test_methods_without_a_name_need_no_name_header",
        "mcp/test_requirements.py::test_a_name_in_the_header_agrees_with_the_body",
    ),
    _row(
        "Value Encoding",
        MUST,
        "Mcp-Name is decoded from its Base64 form before it is compared.",
        "mcp/test_protocol.py::test_blanks_and_base64_are_taken_off_a_name",
        "mcp/test_protocol.py::test_any_name_can_be_sent_in_base64",
    ),
    _row(
        "Server Behavior for Custom Headers",
        MUST,
        "A header that repeats an argument agrees with it, decoded; one with other characters is refused.",
        "mcp/tools/test_mirrors.py::test_a_header_that_says_what_the_argument_says_is_taken",
        "mcp/tools/test_mirrors.py::test_any_other_header_is_refused_by_name",
        "mcp/tools/test_own_tools.py::test_a_mirrored_argument_agrees_with_its_header",
    ),
    _row(
        "Server Behavior for Custom Headers",
        MUST_NOT,
        "No header is expected for an argument that is null or left out.",
        "mcp/tools/test_mirrors.py::test_an_argument_left_out_needs_no_header",
    ),
    _row(
        "Server Validation",
        SHOULD,
        "Whole numbers are compared as numbers.",
        "mcp/tools/test_mirrors.py::test_a_header_that_says_what_the_argument_says_is_taken",
    ),
    _row(
        "Schema Extension",
        MUST,
        "An x-mcp-header is a token, used once, of a text, a whole number or a truth value.",
        "mcp/tools/test_mirrors.py::test_a_definition_that_clients_would_leave_out_is_refused",
    ),
    _row(
        "Case Sensitivity",
        MUST,
        "Names of headers have no case, their values have one.",
        "mcp/test_requirements.py::test_headers_have_no_case_and_their_values_have_one",
    ),
    _row(
        "Server Validation",
        MUST,
        "Headers that differ from the body are refused with 400 and -32020, and so is one that comes twice.",
        "mcp/test_streamable.py::test_a_header_missing_or_different",
        "mcp/test_streamable.py::test_a_header_that_is_there_twice",
    ),
    _row(
        "Earlier Streamable HTTP Revisions",
        SHOULD,
        "GET and DELETE are no methods of the modern endpoint: 405.",
        "mcp/test_streamable.py::test_another_http_method",
        "servers/test_refusals.py::test_mcp_endpoint_takes_posts_only",
    ),
)

_STDIO = _page(
    MODERN,
    "basic/transports/stdio",
    _row(
        "",
        MUST_NOT,
        "A message is one line, without a line feed inside.",
        "mcp/test_requirements.py::test_no_message_holds_a_line_feed",
    ),
    _row(
        "",
        MUST_NOT,
        "stdout carries messages of the protocol and nothing else.",
        "clients/test_stdio.py::test_problems_of_the_library_are_not_said_on_stdout",
        "clients/test_stdio.py::test_garbage_gets_an_error_each_and_the_next_line_its_answer",
    ),
    _row(
        "Cancellation",
        MUST_NOT,
        "Nothing is sent for a request that was cancelled.",
        "clients/test_stdio.py::test_request_taken_back_is_not_answered",
    ),
    _row(
        "Shutdown",
        SHOULD,
        "The server ends soon after its input does.",
        "clients/test_stdio.py::test_nothing_sent_is_nothing_said",
        "clients/test_stdio.py::test_everything_in_flight_is_answered_after_the_end_of_input",
    ),
)

_TRANSPORTS = _page(
    MODERN,
    "basic/transports/index",
    _row(
        "Messages",
        MUST,
        "Messages are UTF-8.",
        "mcp/test_messages.py::test_a_body_is_not_read_that_is_or_has",
        "mcp/test_streamable.py::test_bad_json",
    ),
)

_CANCELLATION = _page(
    MODERN,
    "basic/patterns/cancellation",
    _row(
        "Behavior Requirements",
        SHOULD,
        "A cancelled request is stopped, let go of, and not answered.",
        "clients/test_stdio.py::test_request_taken_back_is_not_answered",
    ),
    _row(
        "Error Handling",
        SHOULD,
        "A cancellation of something unknown, or ended, or malformed is passed over.",
        "clients/test_stdio.py::test_request_that_is_unknown_cannot_be_taken_back",
    ),
)

_DISCOVER = _page(
    MODERN,
    "server/discover",
    _row(
        "",
        MUST,
        "server/discover tells revisions, capabilities and who the server is.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
    ),
)

_RESOURCES = _page(
    MODERN,
    "server/resources",
    _row(
        "Capabilities",
        MUST,
        "The capability is declared.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
        "mcp/test_methods.py::test_initialize_settles_the_revision",
    ),
    _row(
        "Capabilities",
        MUST,
        "resources/list tells what there is, the same to everybody and whatever was asked before.",
        "mcp/test_methods.py::test_the_pages_hold_every_resource_once",
        "clients/test_python_sdk.py::test_listing_comes_in_pages_and_has_every_document_once",
        "mcp/test_requirements.py::test_lists_do_not_depend_on_what_was_asked_before",
    ),
    _row(
        "Custom URI Schemes",
        MUST,
        "URIs are such as RFC 3986 has them.",
        "test_uri.py::test_a_canonical_uri_has_none_of_what_is_refused",
    ),
    _row(
        "Error Handling",
        MUST,
        "A resource that does not exist gets -32602.",
        "mcp/test_streamable.py::test_a_resource_that_is_not_there",
        "clients/test_python_sdk.py::test_unknown_resource_is_the_error_of_the_era",
    ),
    _row(
        "Error Handling",
        SHOULD,
        "An internal error gets -32603.",
        "mcp/test_streamable.py::test_an_unreadable_document",
    ),
    _row(
        "Error Handling",
        MUST_NOT,
        "contents is never empty in the place of an error.",
        "mcp/test_streamable.py::test_a_resource_that_is_not_there",
        "mcp/test_methods.py::test_every_listed_resource_is_read",
    ),
    _row(
        "Security Considerations",
        MUST,
        "Every URI is validated.",
        "test_uri.py::test_a_uri_is_refused_that_is_or_has",
        "mcp/test_streamable.py::test_a_uri_that_no_resource_can_have",
    ),
    _row(
        "Security Considerations",
        MUST,
        "Binary data is encoded.",
        "servers/test_mcp.py::test_binary_is_read_as_base64",
        "test_rendering.py::test_what_is_not_text_travels_as_base64",
    ),
    _row(
        "Security Considerations",
        MUST,
        "No path leads out of the library.",
        "sources/test_beneath.py::test_what_is_not_there_or_not_beneath_is_one_and_the_same_error",
        "sources/test_beneath.py::test_an_absolute_path_never_leads_out",
        "sources/test_beneath.py::test_a_link_swapped_for_a_file_never_shows_the_secret",
    ),
)

_PROMPTS = _page(
    MODERN,
    "server/prompts",
    _row(
        "Capabilities",
        MUST,
        "The capability is declared.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
        "mcp/test_methods.py::test_initialize_settles_the_revision",
    ),
    _row(
        "Capabilities",
        MUST,
        "prompts/list tells what there is, the same to everybody and whatever was asked before.",
        "mcp/test_prompts.py::test_each_template_is_a_prompt_with_its_placeholders",
        "mcp/test_requirements.py::test_lists_do_not_depend_on_what_was_asked_before",
    ),
    _row(
        "Error Handling",
        SHOULD,
        "An unknown prompt gets -32602.",
        "mcp/test_prompts.py::test_an_unknown_prompt_is_answered_with_those_there_are",
    ),
    _row(
        "Error Handling",
        SHOULD,
        "An internal error gets -32603.",
        "mcp/test_prompts.py::test_a_template_that_cannot_be_read_is_left_out_until_it_can",
    ),
    _row(
        "Implementation Considerations",
        SHOULD,
        "Arguments are validated before use.",
        "mcp/test_prompts.py::test_an_unknown_argument_is_answered_with_those_there_are",
        "mcp/test_prompts.py::test_parameters_that_do_not_fit_are_refused",
    ),
    _row(
        "Security",
        MUST,
        "What goes into a prompt is looked at, so that nothing is injected and nothing foreign is read.",
        "test_placeholders.py::test_no_value_ends_the_element_it_stands_in",
        "test_placeholders.py::test_values_are_bounded",
        "test_placeholders.py::test_a_value_that_is_put_in_too_often_is_refused",
        "test_placeholders.py::test_a_value_that_looks_like_a_placeholder_stays_as_it_is",
    ),
)

_TOOLS = _page(
    MODERN,
    "server/tools",
    _row(
        "Capabilities",
        MUST,
        "The capability is declared where there are tools.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
        "mcp/tools/test_feature.py::test_tools_can_be_switched_off",
    ),
    _row(
        "Capabilities",
        MUST,
        "tools/list tells what there is, the same to everybody and whatever was asked before.",
        "mcp/tools/test_feature.py::test_the_list_has_one_page_and_is_the_same_again",
        "mcp/test_requirements.py::test_lists_do_not_depend_on_what_was_asked_before",
    ),
    _row(
        "Capabilities",
        SHOULD,
        "Tools are listed in one order.",
        "mcp/tools/test_feature.py::test_the_list_has_one_page_and_is_the_same_again",
        "mcp/tools/test_feature.py::test_every_tool_says_what_it_takes_and_returns",
    ),
    _row(
        "Tool",
        MUST,
        "inputSchema is a JSON Schema that is an object.",
        "mcp/tools/test_feature.py::test_every_tool_says_what_it_takes_and_returns",
    ),
    _row(
        "Tool Names",
        SHOULD,
        "Names have 1 to 128 of the advised characters, no two are the same, and their case counts.",
        "mcp/tools/test_feature.py::test_names_are_such_as_the_specification_advises",
        "mcp/test_requirements.py::test_the_case_of_a_tool_counts",
    ),
    _row(
        "Output Schema",
        MUST,
        "Structured content is as the outputSchema says.",
        "mcp/tools/test_reading.py::test_what_is_read_is_what_resources_read_gives",
        "mcp/tools/test_listing.py::test_every_document_is_listed_as_text_as_link_and_for_programs",
        "mcp/tools/test_outlining.py::test_the_sections_of_a_document_come_in_order_with_their_sizes",
        "mcp/tools/test_searching.py::test_a_section_is_found_with_its_uri_title_size_and_a_snippet",
    ),
    _row(
        "Error Handling",
        MUST,
        "An unknown tool, and a request that is no CallToolRequest, is a protocol error.",
        "mcp/tools/test_feature.py::test_an_unknown_tool_is_answered_with_those_there_are",
        "mcp/tools/test_feature.py::test_arguments_that_are_not_of_the_schema_are_refused",
    ),
    _row(
        "Error Handling",
        SHOULD,
        "What a model can put right is a result with isError.",
        "mcp/tools/test_reading.py::test_an_unknown_uri_is_answered_with_the_nearest",
        "mcp/tools/test_reading.py::test_an_unknown_section_is_answered_with_those_there_are",
        "mcp/tools/test_feature.py::test_a_document_that_cannot_be_read_is_an_error_of_the_tool",
    ),
    _row(
        "Security Considerations",
        MUST,
        "All that goes into a tool is validated.",
        "mcp/tools/test_feature.py::test_arguments_that_are_not_of_the_schema_are_refused",
        "mcp/tools/test_listing.py::test_what_is_not_there_is_answered_with_what_is",
        "mcp/tools/test_searching.py::test_the_syntax_of_an_engine_is_words",
        "mcp/tools/test_searching.py::test_what_cannot_be_searched_for_is_an_error_of_the_tool",
    ),
    _row(
        "Security Considerations",
        MUST,
        "Nobody gets by a tool what cannot be read as a resource.",
        "mcp/tools/test_reading.py::test_what_is_read_is_what_resources_read_gives",
    ),
)

_COMPLETION = _page(
    MODERN,
    "server/utilities/completion",
    _row(
        "Capabilities",
        MUST,
        "The capability is declared.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
        "mcp/test_methods.py::test_initialize_settles_the_revision",
    ),
    _row(
        "Completion Results",
        MUST,
        "At most 100 values come, with what is known of the rest.",
        "mcp/test_completion.py::test_a_hundred_values_are_the_most",
    ),
    _row(
        "Error Handling",
        SHOULD,
        "An unknown prompt, template or argument gets -32602.",
        "mcp/test_completion.py::test_an_unknown_template_is_answered_with_those_there_are",
        "mcp/test_completion.py::test_an_unknown_variable_is_answered_with_those_there_are",
        "mcp/test_prompts.py::test_an_argument_is_completed_with_nothing_as_it_is_free_text",
    ),
    _row(
        "Implementation Considerations",
        SHOULD,
        "The best values come first, and a spelling that is nearly right finds something.",
        "mcp/test_completion.py::test_what_begins_nothing_finds_what_is_like_it",
        "test_candidates.py::test_what_begins_nothing_is_looked_for_inside",
        "test_candidates.py::test_what_is_nowhere_inside_is_taken_for_a_spelling_error",
    ),
    _row(
        "Security",
        MUST,
        "All that goes into a completion is validated.",
        "mcp/test_completion.py::test_parameters_that_do_not_fit_are_refused",
    ),
    _row(
        "Security",
        MUST,
        "No value tells of a resource that cannot be read.",
        "mcp/test_completion.py::test_completed_values_make_a_uri_that_is_read",
    ),
)

_CACHING = _page(
    MODERN,
    "server/utilities/caching",
    _row(
        "Cacheable Results",
        MUST,
        "Discovery, lists and reads say how long they hold and for whom; nothing else does.",
        "mcp/test_requirements.py::test_every_result_says_that_it_is_complete",
        "servers/test_mcp.py::test_only_the_modern_era_says_how_long_an_answer_holds",
    ),
    _row(
        "Time-to-Live (TTL) Field",
        MUST,
        "ttlMs is not below 0.",
        "test_settings.py::test_a_value_out_of_its_range_stops_the_start",
    ),
    _row(
        "Interaction with Pagination",
        MUST,
        "All pages of a list have one cacheScope.",
        "mcp/test_methods.py::test_the_pages_hold_every_resource_once",
        "mcp/test_prompts.py::test_the_listing_comes_in_pages",
    ),
)

_PAGINATION = _page(
    MODERN,
    "server/utilities/pagination",
    _row(
        "Implementation Guidelines",
        SHOULD,
        "Cursors stay good, whatever changes.",
        "test_catalog.py::test_a_page_starts_after_a_uri_that_is_gone",
        "mcp/test_requirements.py::test_a_cursor_is_good_at_another_process",
    ),
    _row(
        "Error Handling",
        SHOULD,
        "A cursor that was not made here gets -32602; an empty one was not.",
        "mcp/test_streamable.py::test_a_bad_cursor",
        "test_paging.py::test_a_cursor_of_somebody_else_is_refused",
        "mcp/test_prompts.py::test_a_cursor_of_somebody_else_is_refused",
        "mcp/tools/test_feature.py::test_the_list_has_one_page_and_is_the_same_again",
    ),
)

_LOGGING = _page(
    MODERN,
    "server/utilities/logging",
    _row(
        "Per-request log level",
        MUST_NOT,
        "No message of a log is sent to a client that did not ask; none is ever sent.",
        "clients/test_stdio.py::test_reads_are_told_on_stderr",
    ),
)

_LIFECYCLE = _page(
    HANDSHAKE,
    "basic/lifecycle",
    _row(
        "Initialization",
        MUST,
        "initialize is answered with capabilities and who the server is.",
        "mcp/test_methods.py::test_initialize_settles_the_revision",
        "servers/test_mcp.py::test_handshake_settles_on_a_revision",
    ),
    _row(
        "Version Negotiation",
        MUST,
        "The asked revision is used where it is served, else the newest of this era.",
        "mcp/test_methods.py::test_initialize_settles_the_revision",
    ),
    _row(
        "Operation",
        MUST,
        "Only capabilities that were settled on are used.",
        "mcp/test_streamable.py::test_the_methods_of_the_other_era_are_not_there",
    ),
    _row(
        "Error Handling",
        SHOULD,
        "initialize without a revision is an error, not a failure.",
        "mcp/test_methods.py::test_initialize_needs_a_revision",
    ),
)

_HANDSHAKE_HTTP = _page(
    HANDSHAKE,
    "basic/transports",
    _row(
        "Sending Messages to the Server",
        MUST,
        "A posted notification or response is answered with 202 and no body.",
        "mcp/test_streamable.py::test_notifications_are_accepted",
        "mcp/test_streamable.py::test_posted_responses_are_accepted_in_the_handshake_era",
    ),
    _row(
        "Protocol Version Header",
        SHOULD,
        "Without a header the revision is taken to be 2025-03-26.",
        "mcp/test_streamable.py::test_a_batch_is_answered_where_there_are_batches",
    ),
    _row(
        "Protocol Version Header",
        MUST,
        "A header of a revision that is not served gets 400.",
        "mcp/test_protocol.py::test_without_a_claim_another_version_header_asks_for_the_meta",
    ),
)

_HANDSHAKE_BASE = _page(
    HANDSHAKE,
    "basic/utilities/ping",
    _row(
        "Behavior Requirements",
        MUST,
        "ping is answered at once with nothing.",
        "mcp/test_methods.py::test_ping_is_answered",
    ),
)

_HANDSHAKE_RESOURCES = _page(
    HANDSHAKE,
    "server/resources",
    _row(
        "Error Handling",
        SHOULD,
        "A resource that does not exist gets -32002, an internal error -32603.",
        "mcp/test_streamable.py::test_a_resource_that_is_not_there",
        "mcp/test_streamable.py::test_an_unreadable_document",
    ),
)

_BATCHES = _page(
    FIRST,
    "basic/index",
    _row(
        "Batching",
        MUST,
        "Batches are taken.",
        "mcp/test_streamable.py::test_a_batch_is_answered_where_there_are_batches",
        "clients/test_stdio.py::test_batch_is_answered_where_the_handshake_settled_on_the_revision_that_has_it",
    ),
    _row(
        "Lifecycle: Initialization",
        MUST_NOT,
        "initialize is not part of a batch.",
        "mcp/test_streamable.py::test_initialize_is_refused_in_a_batch",
    ),
)

_SUBSCRIPTIONS = _page(
    MODERN,
    "basic/patterns/subscriptions",
    _row(
        "Opening a Stream",
        MUST_NOT,
        "No kind of notification is sent that was not asked for.",
        "servers/test_streams.py::test_what_was_not_asked_for_is_not_honoured",
        "mcp/test_streams.py::test_each_is_told_of_what_it_watches_and_of_nothing_else",
    ),
    _row(
        "Acknowledgment",
        MUST,
        "The acknowledgement is the first message, and carries the subscription's id.",
        "servers/test_streams.py::test_acknowledgement_comes_first_and_has_what_is_honoured",
        "mcp/test_streams.py::test_the_opening_comes_first_and_the_closing_last",
    ),
    _row(
        "Receiving Notifications",
        MUST,
        "Every notification carries the id of the request that opened the stream.",
        "mcp/test_notifications.py::test_a_change_is_told_by_the_uri_and_the_id_of_the_subscription",
        "mcp/test_notifications.py::test_the_type_of_the_id_is_kept",
        "clients/test_subscriptions.py::test_several_subscriptions_of_one_client_are_told_apart",
    ),
    _row(
        "Graceful Closure",
        SHOULD,
        "A stream that the server ends is completed by the result of its request.",
        "servers/test_streams.py::test_streams_end_well_when_the_server_is_told_to_stop",
        "clients/test_stdio.py::test_subscription_ends_as_it_should_with_the_input",
    ),
    _row(
        "Cancellation",
        MUST,
        "A client that closes its stream, or takes the request back, ends the subscription.",
        "servers/test_streams.py::test_client_that_hangs_up_is_noticed",
        "clients/test_stdio.py::test_subscription_taken_back_gets_no_answer",
        "clients/test_subscriptions.py::test_subscription_that_was_left_is_ended",
    ),
)

_TORN_DOWN = _page(
    MODERN,
    "basic/patterns/cancellation",
    _row(
        "Overview",
        MUST,
        "A subscription that the server tears down is cancelled by its request's id, where no stream closes.",
        "clients/test_stdio.py::test_subscription_ends_as_it_should_with_the_input",
    ),
)

_SESSIONS = _page(
    HANDSHAKE,
    "basic/transports",
    _row(
        "Session Management: id",
        MUST,
        "A session's id is visible ASCII and cannot be guessed.",
        "mcp/test_sessions.py::test_a_client_that_reads_streams_gets_a_session_that_nobody_can_guess",
    ),
    _row(
        "Session Management: end",
        MUST,
        "A session that has ended, or never was, gets 404.",
        "mcp/test_sessions.py::test_an_unknown_session_is_not_found",
        "mcp/test_sessions.py::test_a_session_that_its_client_ended_is_not_found",
        "servers/test_session_workers.py::test_no_worker_knows_a_session_that_has_ended",
    ),
    _row(
        "Listening for Messages from the Server",
        MUST,
        "GET is answered with an event stream or with 405.",
        "servers/test_streams.py::test_session_is_told_over_its_one_stream",
        "mcp/test_sessions.py::test_other_methods_need_a_session",
    ),
    _row(
        "Multiple Connections",
        MUST,
        "Each message is sent over one stream only.",
        "servers/test_streams.py::test_second_stream_of_a_session_is_refused",
        "servers/test_session_workers.py::test_second_stream_is_refused_by_every_worker",
    ),
)

_HANDSHAKE_SUBSCRIPTIONS = _page(
    HANDSHAKE,
    "server/resources",
    _row(
        "Subscriptions",
        MUST,
        "What is advertised is done: changes of subscribed resources and of the listing are told.",
        "clients/test_subscriptions.py::test_edits_are_told_within_half_a_second",
        "clients/test_subscriptions.py::test_new_and_removed_documents_are_told",
        "clients/test_subscriptions.py::test_nothing_is_told_of_what_was_unsubscribed_from",
    ),
)

REQUIREMENTS = (
    *_BASE,
    *_VERSIONING,
    *_TRANSPORTS,
    *_HTTP,
    *_STDIO,
    *_CANCELLATION,
    *_DISCOVER,
    *_RESOURCES,
    *_PROMPTS,
    *_TOOLS,
    *_COMPLETION,
    *_CACHING,
    *_PAGINATION,
    *_LOGGING,
    *_LIFECYCLE,
    *_HANDSHAKE_HTTP,
    *_HANDSHAKE_BASE,
    *_HANDSHAKE_RESOURCES,
    *_BATCHES,
    *_SUBSCRIPTIONS,
    *_TORN_DOWN,
    *_SESSIONS,
    *_HANDSHAKE_SUBSCRIPTIONS,
)

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
