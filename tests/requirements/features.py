"""Discovery, resources, prompts and tools."""

from tests.requirements.rows import MODERN, MUST, MUST_NOT, SHOULD, page, row

_DISCOVER = page(
    MODERN,
    "server/discover",
    row(
        "",
        MUST,
        "server/discover tells revisions, capabilities and who the server is.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
    ),
)

_RESOURCES = page(
    MODERN,
    "server/resources",
    row(
        "Capabilities",
        MUST,
        "The capability is declared.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
        "mcp/test_methods.py::test_initialize_settles_the_revision",
    ),
    row(
        "Capabilities",
        MUST,
        "resources/list tells what there is, the same to everybody and whatever was asked before.",
        "mcp/test_methods.py::test_the_pages_hold_every_resource_once",
        "clients/test_python_sdk.py::test_listing_comes_in_pages_and_has_every_document_once",
        "mcp/test_requirements.py::test_lists_do_not_depend_on_what_was_asked_before",
    ),
    row(
        "Custom URI Schemes",
        MUST,
        "URIs are such as RFC 3986 has them.",
        "test_uri.py::test_a_canonical_uri_has_none_of_what_is_refused",
    ),
    row(
        "Error Handling",
        MUST,
        "A resource that does not exist gets -32602.",
        "mcp/test_streamable_http.py::test_a_resource_that_is_not_there",
        "clients/test_python_sdk.py::test_unknown_resource_is_the_error_of_the_era",
    ),
    row(
        "Error Handling",
        SHOULD,
        "An internal error gets -32603.",
        "mcp/test_streamable_http.py::test_an_unreadable_document",
    ),
    row(
        "Error Handling",
        MUST_NOT,
        "contents is never empty in the place of an error.",
        "mcp/test_streamable_http.py::test_a_resource_that_is_not_there",
        "mcp/test_methods.py::test_every_listed_resource_is_read",
    ),
    row(
        "Security Considerations",
        MUST,
        "Every URI is validated.",
        "test_uri.py::test_a_uri_is_refused_that_is_or_has",
        "mcp/test_streamable_http.py::test_a_uri_that_no_resource_can_have",
    ),
    row(
        "Security Considerations",
        MUST,
        "Binary data is encoded.",
        "servers/test_mcp.py::test_binary_is_read_as_base64",
        "documents/test_rendering.py::test_what_is_not_text_travels_as_base64",
    ),
    row(
        "Security Considerations",
        MUST,
        "No path leads out of the library.",
        "sources/test_beneath.py::test_what_is_not_there_or_not_beneath_is_one_and_the_same_error",
        "sources/test_beneath.py::test_an_absolute_path_never_leads_out",
        "sources/test_beneath.py::test_a_link_swapped_for_a_file_never_shows_the_secret",
    ),
)

_PROMPTS = page(
    MODERN,
    "server/prompts",
    row(
        "Capabilities",
        MUST,
        "The capability is declared.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
        "mcp/test_methods.py::test_initialize_settles_the_revision",
    ),
    row(
        "Capabilities",
        MUST,
        "prompts/list tells what there is, the same to everybody and whatever was asked before.",
        "mcp/test_prompts.py::test_each_template_is_a_prompt_with_its_placeholders",
        "mcp/test_requirements.py::test_lists_do_not_depend_on_what_was_asked_before",
    ),
    row(
        "Error Handling",
        SHOULD,
        "An unknown prompt gets -32602.",
        "mcp/test_prompts.py::test_an_unknown_prompt_is_answered_with_those_there_are",
    ),
    row(
        "Error Handling",
        SHOULD,
        "An internal error gets -32603.",
        "mcp/test_prompts.py::test_a_template_that_cannot_be_read_is_left_out_until_it_can",
    ),
    row(
        "Implementation Considerations",
        SHOULD,
        "Arguments are validated before use.",
        "mcp/test_prompts.py::test_an_unknown_argument_is_answered_with_those_there_are",
        "mcp/test_prompts.py::test_parameters_that_do_not_fit_are_refused",
    ),
    row(
        "Security",
        MUST,
        "What goes into a prompt is looked at, so that nothing is injected and nothing foreign is read.",
        "documents/test_placeholders.py::test_no_value_ends_the_element_it_stands_in",
        "documents/test_placeholders.py::test_values_are_bounded",
        "documents/test_placeholders.py::test_a_value_that_is_put_in_too_often_is_refused",
        "documents/test_placeholders.py::test_a_value_that_looks_like_a_placeholder_stays_as_it_is",
    ),
)

_TOOLS = page(
    MODERN,
    "server/tools",
    row(
        "Capabilities",
        MUST,
        "The capability is declared where there are tools.",
        "mcp/test_methods.py::test_discover_tells_every_revision",
        "mcp/tools/test_feature.py::test_tools_can_be_switched_off",
    ),
    row(
        "Capabilities",
        MUST,
        "tools/list tells what there is, the same to everybody and whatever was asked before.",
        "mcp/tools/test_feature.py::test_the_list_has_one_page_and_is_the_same_again",
        "mcp/test_requirements.py::test_lists_do_not_depend_on_what_was_asked_before",
    ),
    row(
        "Capabilities",
        SHOULD,
        "Tools are listed in one order.",
        "mcp/tools/test_feature.py::test_the_list_has_one_page_and_is_the_same_again",
        "mcp/tools/test_feature.py::test_every_tool_says_what_it_takes_and_returns",
    ),
    row(
        "Tool",
        MUST,
        "inputSchema is a JSON Schema that is an object.",
        "mcp/tools/test_feature.py::test_every_tool_says_what_it_takes_and_returns",
    ),
    row(
        "Tool Names",
        SHOULD,
        "Names have 1 to 128 of the advised characters, no two are the same, and their case counts.",
        "mcp/tools/test_feature.py::test_names_are_such_as_the_specification_advises",
        "mcp/test_requirements.py::test_the_case_of_a_tool_counts",
    ),
    row(
        "Output Schema",
        MUST,
        "Structured content is as the outputSchema says.",
        "mcp/tools/test_read.py::test_what_is_read_is_what_resources_read_gives",
        "mcp/tools/test_list.py::test_every_document_is_listed_as_text_as_link_and_for_programs",
        "mcp/tools/test_outline.py::test_the_sections_of_a_document_come_in_order_with_their_sizes",
        "mcp/tools/test_search.py::test_a_section_is_found_with_its_uri_title_size_and_a_snippet",
    ),
    row(
        "Error Handling",
        MUST,
        "An unknown tool, and a request that is no CallToolRequest, is a protocol error.",
        "mcp/tools/test_feature.py::test_an_unknown_tool_is_answered_with_those_there_are",
        "mcp/tools/test_feature.py::test_a_call_without_a_name_is_no_call",
    ),
    row(
        "Error Handling",
        SHOULD,
        "What a model can put right is a result with isError.",
        "mcp/tools/test_read.py::test_an_unknown_uri_is_answered_with_the_nearest",
        "mcp/tools/test_read.py::test_an_unknown_section_is_answered_with_those_there_are",
        "mcp/tools/test_feature.py::test_a_document_that_cannot_be_read_is_an_error_of_the_tool",
        "mcp/tools/test_feature.py::test_arguments_that_are_not_of_the_schema_are_an_error_that_says_what_is",
    ),
    row(
        "Security Considerations",
        MUST,
        "All that goes into a tool is validated.",
        "mcp/tools/test_feature.py::test_arguments_that_are_not_of_the_schema_are_an_error_that_says_what_is",
        "mcp/tools/test_list.py::test_what_is_not_there_is_answered_with_what_is",
        "mcp/tools/test_search.py::test_the_syntax_of_an_engine_is_words",
        "mcp/tools/test_search.py::test_what_cannot_be_searched_for_is_an_error_of_the_tool",
    ),
    row(
        "Security Considerations",
        MUST,
        "Nobody gets by a tool what cannot be read as a resource.",
        "mcp/tools/test_read.py::test_what_is_read_is_what_resources_read_gives",
    ),
)

FEATURES = (*_DISCOVER, *_RESOURCES, *_PROMPTS, *_TOOLS)
