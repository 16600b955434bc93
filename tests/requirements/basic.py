"""Messages, their `_meta`, and versions."""

from tests.requirements.rows import MODERN, MUST, MUST_NOT, SHOULD, SHOULD_NOT, page, row

_MESSAGES = page(
    MODERN,
    "basic/index",
    row(
        "Messages",
        MUST,
        "Messages are JSON-RPC 2.0.",
        "mcp/test_messages.py::test_an_envelope_is_refused_that_is_or_has",
        "mcp/test_streamable_http.py::test_a_bad_envelope",
    ),
    row(
        "Requests",
        MUST_NOT,
        "An id is a string or an integer, never null.",
        "mcp/test_messages.py::test_another_id_is_refused_and_not_echoed",
    ),
    row(
        "Result Responses",
        MUST,
        "A response has the id of its request.",
        "mcp/test_streamable_http.py::test_the_id_comes_back_as_it_was",
        "mcp/test_messages.py::test_an_id_that_is_echoed_is_the_one_that_was_sent",
    ),
    row(
        "Result Responses",
        MUST,
        "A successful response has a result, and the result says its resultType.",
        "mcp/test_requirements.py::test_every_result_says_that_it_is_complete",
    ),
    row(
        "Error Responses",
        MUST,
        "An error has the id of its request, unless that could not be read.",
        "mcp/test_protocol.py::test_an_id_that_is_not_known_is_left_out",
        "mcp/test_streamable_http.py::test_bad_json",
    ),
    row(
        "Error Responses",
        MUST,
        "An error has a message and a code that is an integer.",
        "mcp/test_protocol.py::test_an_error_tells_code_message_and_data",
    ),
    row(
        "Error Codes",
        MUST_NOT,
        "No code between -32099 and -32020 that the specification does not define.",
        "mcp/test_requirements.py::test_only_codes_of_the_specification_are_used",
    ),
    row(
        "Error Codes",
        SHOULD_NOT,
        "No code between -32019 and -32000.",
        "mcp/test_requirements.py::test_only_codes_of_the_specification_are_used",
    ),
    row(
        "Error Codes",
        MUST_NOT,
        "-32002 and -32042 belong to older revisions.",
        "mcp/test_requirements.py::test_only_codes_of_the_specification_are_used",
        "mcp/test_streamable_http.py::test_a_resource_that_is_not_there",
    ),
    row(
        "Notifications",
        MUST_NOT,
        "A notification gets no response.",
        "mcp/test_streamable_http.py::test_notifications_of_the_modern_era_are_accepted",
        "mcp/test_streamable_http.py::test_a_notification_of_a_request_is_carried_out_silently",
        "clients/test_stdio.py::test_notifications_and_blank_lines_get_no_answer",
    ),
    row(
        "Statelessness",
        MUST_NOT,
        "No request depends on another one of the same connection.",
        "clients/test_stdio.py::test_both_eras_can_be_spoken_over_one_pipe",
        "mcp/test_requirements.py::test_any_request_may_be_the_first",
    ),
    row(
        "Statelessness",
        SHOULD_NOT,
        "Related requests need not come over one connection or to one process.",
        "catalog/test_cursors.py::test_a_cursor_gives_its_uri_back",
        "documents/test_excerpts.py::test_a_cursor_gives_back_what_went_in",
        "mcp/test_requirements.py::test_a_cursor_is_good_at_another_process",
    ),
    row(
        "Schema Validation",
        MUST,
        "Schemas are valid JSON Schema 2020-12.",
        "mcp/tools/test_feature.py::test_every_tool_says_what_it_takes_and_returns",
    ),
    row(
        "_meta",
        MUST,
        "Keys in _meta have a prefix of labels, and a name that begins and ends with a letter or digit.",
        "mcp/test_requirements.py::test_keys_in_meta_are_named_as_the_specification_asks",
    ),
    row(
        "_meta",
        MUST,
        "A request that lacks a required field of _meta gets -32602, and 400 on HTTP.",
        "mcp/test_streamable_http.py::test_a_required_key_of_the_meta_missing",
        "mcp/test_streamable_http.py::test_the_meta_missing",
    ),
    row(
        "_meta",
        MUST_NOT,
        "Nothing relies on a capability that the client did not declare; -32021 says which one it is.",
        "mcp/test_requirements.py::test_any_request_may_be_the_first",
        "mcp/tools/test_own_tools.py::test_a_tool_answers_only_clients_that_declare_what_it_needs",
    ),
    row(
        "_meta",
        SHOULD,
        "Every result names the server.",
        "mcp/test_requirements.py::test_every_result_says_that_it_is_complete",
    ),
)

_VERSIONING = page(
    MODERN,
    "basic/versioning",
    row(
        "Protocol Version Negotiation",
        MUST,
        "A revision that is not served is refused with -32022 and the list of those that are.",
        "mcp/test_streamable_http.py::test_a_version_that_is_not_served",
        "mcp/test_protocol.py::test_a_version_that_is_not_served_is_told_with_those_that_are",
        "servers/test_mcp.py::test_unsupported_revision_is_told_which_there_are",
    ),
    row(
        "Protocol Version Negotiation",
        MUST,
        "There is server/discover.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
        "servers/test_mcp.py::test_discovery_tells_the_same_to_everybody",
    ),
    row(
        "Backward Compatibility with Initialization-Based Versions",
        SHOULD,
        "A modern initialize is told that there is no such method.",
        "mcp/test_streamable_http.py::test_the_methods_of_the_other_era_are_not_there",
        "mcp/test_protocol.py::test_a_claim_makes_even_initialize_modern",
    ),
)

BASIC = (*_MESSAGES, *_VERSIONING)
