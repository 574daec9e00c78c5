"""`predict` of the `human_keypoint_detection` pipeline: what is sent, what is refused, what comes back."""

import asyncio
import json

import numpy as np
import pytest

from paddlex_triton.client import NO_RETRIES, AsyncPipeline, Pipeline
from paddlex_triton.client.exceptions import InvalidParameterError
from paddlex_triton.client.options import option_help, option_metavar, parse_option
from paddlex_triton.client.results import KeypointDetectionResult
from paddlex_triton.client.transports.mock import AsyncMockTransport, MockTransport
from paddlex_triton.params import KeypointParams
from paddlex_triton.pipelines import find_pipeline

SPEC = find_pipeline("human_keypoint_detection")


@pytest.fixture
def people(person_tensors, number):
    """A pipeline on a mock transport: as many people as the number in the image says."""
    transport = MockTransport(lambda request: person_tensors(number(request)))
    with Pipeline(SPEC, transport, retry=NO_RETRIES) as pipeline:
        yield pipeline, transport


def sent_params(transport):
    return [json.loads(request.inputs["params"][0]) for request in transport.sent]


@pytest.mark.parametrize("counts", [[0], [1], [3, 0, 1, 30, 2]])
def test_people_of_each_page(people, numbered, counts):
    pipeline, transport = people
    results = list(pipeline.predict([numbered(count) for count in counts]))
    assert [type(result) for result in results] == [KeypointDetectionResult] * len(counts)
    assert [len(result["boxes"]) for result in results] == counts
    assert {request.model for request in transport.sent} == {"human_keypoint_detection"}
    assert {request.outputs for request in transport.sent} == {KeypointDetectionResult.OUTPUTS}
    assert sent_params(transport) == [{}] * len(counts)


@pytest.mark.parametrize(
    ("threshold", "sent"),
    [(None, {}), (0, {"det_threshold": 0}), (0.99, {"det_threshold": 0.99}), (np.float64(0.5), {"det_threshold": 0.5})],
)
def test_the_threshold_is_sent(people, numbered, threshold, sent):
    pipeline, transport = people
    list(pipeline.predict(numbered(1), det_threshold=threshold))
    list(pipeline.predict(numbered(1), threshold))
    assert sent_params(transport) == [sent, sent]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"det_threshold": 1.01}, "det_threshold is 1.01; allowed: a number from 0 to 1"),
        ({"det_threshold": "0.5"}, "det_threshold is '0.5'"),
        ({"threshold": 0.5}, "unknown parameter 'threshold'; allowed: det_threshold"),
        ({"return_preprocessed_img": True}, "unknown parameter 'return_preprocessed_img'"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_is_sent(people, numbered, params, says):
    pipeline, transport = people
    with pytest.raises(InvalidParameterError, match=says):
        pipeline.predict(numbered(0), **params)
    assert transport.sent == []


def test_there_is_one_parameter_without_a_name(people, numbered):
    pipeline, _ = people
    with pytest.raises(TypeError, match="at most 1 "):
        pipeline.predict(numbered(0), 0.5, 0.5)


def test_asyncio(person_tensors, numbered, number):
    async def run():
        transport = AsyncMockTransport(lambda request: person_tensors(number(request)))
        async with AsyncPipeline(SPEC, lambda: (lambda: transport, lambda: None), retry=NO_RETRIES) as pipeline:
            return [len(result["boxes"]) async for result in pipeline.predict([numbered(2), numbered(0)], 0.25)]

    assert asyncio.run(run()) == [2, 0]


@pytest.mark.parametrize(("text", "value"), [("0.6", 0.6), ("1", 1), ("None", None), ("null", None)])
def test_the_option_of_the_command_line(text, value):
    assert parse_option(KeypointParams, "det_threshold", text) == value


def test_help_of_the_command_line():
    field = KeypointParams.model_fields["det_threshold"]
    assert option_metavar(field) == "FLOAT"
    assert option_help(field).endswith(" Allowed: a number from 0 to 1.")
