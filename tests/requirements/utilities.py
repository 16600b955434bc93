"""Utilities: completion, caching, pagination, logging."""

from tests.requirements.rows import MODERN, MUST, MUST_NOT, SHOULD, page, row

_COMPLETION = page(
    MODERN,
    "server/utilities/completion",
    row(
        "Capabilities",
        MUST,
        "The capability is declared.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
        "mcp/test_methods.py::test_initialize_settles_the_revision",
    ),
    row(
        "Completion Results",
        MUST,
        "At most 100 values come, with what is known of the rest.",
        "mcp/test_completion.py::test_a_hundred_values_are_the_most",
    ),
    row(
        "Error Handling",
        SHOULD,
        "An unknown prompt, template or argument gets -32602.",
        "mcp/test_completion.py::test_an_unknown_template_is_answered_with_those_there_are",
        "mcp/test_completion.py::test_an_unknown_variable_is_answered_with_those_there_are",
        "mcp/test_prompts.py::test_an_argument_is_completed_with_nothing_as_it_is_free_text",
    ),
    row(
        "Implementation Considerations",
        SHOULD,
        "The best values come first, and a spelling that is nearly right finds something.",
        "mcp/test_completion.py::test_what_begins_nothing_finds_what_is_like_it",
        "catalog/test_template_values.py::test_what_begins_nothing_is_looked_for_inside",
        "catalog/test_template_values.py::test_what_is_nowhere_inside_is_taken_for_a_spelling_error",
    ),
    row(
        "Security",
        MUST,
        "All that goes into a completion is validated.",
        "mcp/test_completion.py::test_parameters_that_do_not_fit_are_refused",
    ),
    row(
        "Security",
        MUST,
        "No value tells of a resource that cannot be read.",
        "mcp/test_completion.py::test_completed_values_make_a_uri_that_is_read",
    ),
)

_CACHING = page(
    MODERN,
    "server/utilities/caching",
    row(
        "Cacheable Results",
        MUST,
        "Discovery, lists and reads say how long they hold and for whom; nothing else does.",
        "mcp/test_requirements.py::test_every_result_says_that_it_is_complete",
        "servers/test_mcp.py::test_only_the_modern_era_says_how_long_an_answer_holds",
    ),
    row(
        "Time-to-Live (TTL) Field",
        MUST,
        "ttlMs is not below 0.",
        "test_settings.py::test_a_value_out_of_its_range_stops_the_start",
    ),
    row(
        "Interaction with Pagination",
        MUST,
        "All pages of a list have one cacheScope.",
        "mcp/test_methods.py::test_the_pages_hold_every_resource_once",
        "mcp/test_prompts.py::test_the_listing_comes_in_pages",
    ),
)

_PAGINATION = page(
    MODERN,
    "server/utilities/pagination",
    row(
        "Implementation Guidelines",
        SHOULD,
        "Cursors stay good, whatever changes.",
        "catalog/test_catalog.py::test_a_page_starts_after_a_uri_that_is_gone",
        "mcp/test_requirements.py::test_a_cursor_is_good_at_another_process",
    ),
    row(
        "Error Handling",
        SHOULD,
        "A cursor that was not made here gets -32602; an empty one was not.",
        "mcp/test_streamable_http.py::test_a_bad_cursor",
        "catalog/test_cursors.py::test_a_cursor_of_somebody_else_is_refused",
        "mcp/test_prompts.py::test_a_cursor_of_somebody_else_is_refused",
        "mcp/tools/test_feature.py::test_the_list_has_one_page_and_is_the_same_again",
    ),
)

_LOGGING = page(
    MODERN,
    "server/utilities/logging",
    row(
        "Per-request log level",
        MUST_NOT,
        "No message of a log is sent to a client that did not ask; none is ever sent.",
        "clients/test_stdio.py::test_reads_are_told_on_stderr",
    ),
)

UTILITIES = (*_COMPLETION, *_CACHING, *_PAGINATION, *_LOGGING)
