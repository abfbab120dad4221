"""What each kind of InfluxDB means by its answers. The bodies are as they came or as documented."""

import pytest

from ingest.influx_answers import Answer, meaning

CONFLICT = (
    'partial write: field type conflict: input field "value" on measurement "t" is type string,'
    " already exists as type float dropped=1"
)
CONFLICT_JSON = CONFLICT.replace('"', '\\"')
OUTSIDE = "partial write: points beyond retention policy dropped=2"


@pytest.mark.parametrize(
    ("status", "body", "means"),
    [
        pytest.param(204, "", Answer("landed"), id="all"),
        pytest.param(
            400, f'{{"error":"{OUTSIDE}"}}\n', Answer("partly", OUTSIDE, 2, True), id="1.x retention"
        ),
        pytest.param(
            400, f'{{"error":"{CONFLICT_JSON}"}}\n', Answer("partly", CONFLICT, 1), id="1.x type"
        ),
        pytest.param(
            400,
            '{"error":"field type conflict"}\n',
            Answer("refused", "field type conflict"),
            id="1.x type in a new shard",
        ),
        pytest.param(
            400,
            '{"error":"unable to parse \'t value=NaN 1\': invalid number"}\n',
            Answer("refused", "unable to parse 't value=NaN 1': invalid number"),
            id="1.x unreadable",
        ),
        pytest.param(
            400,
            '{"error":"partial write: unable to parse \'t value=,, 5\': missing field value dropped=0"}',
            Answer("partly", "partial write: unable to parse 't value=,, 5': missing field value dropped=0"),
            id="1.x one unreadable line among good ones",
        ),
        pytest.param(
            422,
            f'{{"code":"unprocessable entity","message":"failure writing points to database: {OUTSIDE}"}}',
            Answer("partly", f"failure writing points to database: {OUTSIDE}", 2, True),
            id="2.x retention",
        ),
        pytest.param(
            400,
            '{"code":"invalid","message":"unable to parse"}',
            Answer("refused", "unable to parse"),
            id="2.x unreadable",
        ),
        pytest.param(
            400,
            '{"error":"partial write of line protocol occurred","data":[{"error_message":"invalid '
            'column type","line_number":2,"original_line":"t value=1"}]}',
            Answer(
                "partly", "partial write of line protocol occurred: invalid column type", 1, False, (1,)
            ),
            id="3 lines by number",
        ),
        pytest.param(
            401,
            '{"code":"unauthorized","message":"unauthorized access"}',
            Answer("no rights", "401 unauthorized access"),
            id="token",
        ),
        pytest.param(
            404,
            '{"error":"database not found: \\"coldtrail\\""}',
            Answer("no bucket", '404 database not found: "coldtrail"'),
            id="1.x no database",
        ),
        pytest.param(413, "too large", Answer("refused", "too large"), id="too large"),
        pytest.param(429, "", Answer("later", "429 "), id="too much"),
        pytest.param(
            500,
            '{"error":"engine: error writing WAL entry: no space left on device"}',
            Answer("later", "500 engine: error writing WAL entry: no space left on device"),
            id="disk full",
        ),
        pytest.param(502, "<html>", Answer("later", "502 <html>"), id="a proxy"),
    ],
)  # fmt: skip
def test_an_answer_means_what_that_kind_of_server_means_by_it(
    status: int, body: str, means: Answer
) -> None:
    assert meaning(status, body.encode()) == means
