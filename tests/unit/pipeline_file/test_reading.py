"""Pipeline files of PaddleX 3: networks, switches, parameters, remarks and refusals."""

from __future__ import annotations

from pathlib import Path

import pipeline_files
import pytest
import yaml

from paddlex_triton.limits import MAX_RECOGNITION_BATCH
from paddlex_triton.pipeline_file import (
    NetworkReference,
    PipelineFileError,
    Serving,
    is_pipeline_file,
    read_pipeline_config,
    read_pipeline_file,
)
from paddlex_triton.pipelines import PIPELINES

DETECTION, RECOGNITION = "SubModules.TextDetection", "SubModules.TextRecognition"
LAYOUT, PEOPLE, JOINTS = "SubModules.LayoutDetection", "SubModules.ObjectDetection", "SubModules.KeypointDetection"
SEAL_OCR = "SubPipelines.SealOCR"
SEAL_DETECTION, SEAL_RECOGNITION = f"{SEAL_OCR}.{DETECTION}", f"{SEAL_OCR}.{RECOGNITION}"


def read(name, path=None, *value):
    """A shipped file with one key changed, or missing."""
    config = pipeline_files.shipped(name)
    return read_pipeline_config(pipeline_files.changed(config, path, *value) if path else config, "my.yaml")


@pytest.mark.parametrize("version", pipeline_files.VERSIONS)
@pytest.mark.parametrize("name", PIPELINES)
def test_shipped_files_say_what_the_parameters_are_anyway(name, version):
    file = read_pipeline_config(pipeline_files.shipped(name, version))
    assert file.spec is PIPELINES[name]
    defaults = {key: field.default for key, field in file.spec.params.model_fields.items()}
    own = {"text_det_limit_side_len": 736} if (name, version) == ("OCR", "3.0.0") else {}
    expected = {**defaults, **dict.fromkeys(file.spec.switches, True), **own}
    assert {**defaults, **file.params} == expected
    counts = {"OCR": 13, "seal_recognition": 14, "human_keypoint_detection": 0, "doc_preprocessor": 2}
    assert len(file.params) == counts[name]
    assert (file.off, file.serving, file.device, file.devices) == ((), Serving(True, 10), None, {})


def test_the_one_remark_on_a_shipped_file():
    assert [read(name).remarks for name in PIPELINES if name != "seal_recognition"] == [(), (), ()]
    (remark,) = read("seal_recognition").remarks
    assert remark.startswith(f"my.yaml: {SEAL_DETECTION}.max_side_len is 4000: ")


def test_networks_by_step():
    assert read("seal_recognition").models() == {
        "doc_orientation_classify": "PP-LCNet_x1_0_doc_ori",
        "doc_unwarping": "UVDoc",
        "layout_detection": "PP-DocLayout-L",
        "seal_text_detection": "PP-OCRv4_server_seal_det",
        "text_recognition": "PP-OCRv4_server_rec",
    }


@pytest.mark.parametrize(
    ("name", "path", "off"),
    [
        ("OCR", "use_doc_preprocessor", {"doc_orientation_classify", "doc_unwarping"}),
        ("OCR", "use_textline_orientation", {"textline_orientation"}),
        ("seal_recognition", "use_layout_detection", {"layout_detection"}),
        ("seal_recognition", "SubPipelines.DocPreprocessor.use_doc_unwarping", {"doc_unwarping"}),
    ],
)
def test_steps_that_are_off(name, path, off):
    file = read(name, path, False)
    assert set(file.off) == off
    assert off.isdisjoint(file.networks)
    assert {step for step, network in file.models().items() if not network} == off
    assert {switch for switch in file.spec.switches if file.params[switch] is False} == {
        file.spec.steps[step].switch for step in off
    }


def test_what_is_said_of_a_step_that_is_off_does_not_count():
    config = pipeline_files.changed(pipeline_files.shipped("seal_recognition"), "use_layout_detection", False)
    file = read_pipeline_config(pipeline_files.changed(config, f"{LAYOUT}.threshold", "high"))
    assert "layout_threshold" not in file.params


def test_page_preparation_without_steps_is_remarked_on():
    config = pipeline_files.shipped("OCR")
    for switch in ("use_doc_orientation_classify", "use_doc_unwarping"):
        config = pipeline_files.changed(config, f"SubPipelines.DocPreprocessor.{switch}", False)
    (remark,) = read_pipeline_config(config).remarks
    assert remark.startswith("config: use_doc_preprocessor is True: both of its steps are off")


def test_weights_of_ones_own():
    file = read("OCR", f"{RECOGNITION}.model_dir", "my/rec")
    assert file.networks["text_recognition"] == NetworkReference("PP-OCRv6_medium_rec", Path("my/rec"))
    assert file.models()["text_recognition"] == "PP-OCRv6_medium_rec"
    assert file.networks["text_detection"].folder is None


@pytest.mark.parametrize(
    ("name", "path", "value", "parameter"),
    [
        ("OCR", f"{DETECTION}.limit_type", "max", "text_det_limit_type"),
        ("OCR", f"{DETECTION}.max_side_limit", 2000, "text_det_max_side_limit"),
        ("OCR", f"{RECOGNITION}.return_word_box", True, "return_word_box"),
        ("OCR", f"{RECOGNITION}.batch_size", 1, "text_recognition_batch_size"),
        ("OCR", f"{RECOGNITION}.batch_size", MAX_RECOGNITION_BATCH, "text_recognition_batch_size"),
        ("seal_recognition", f"{SEAL_RECOGNITION}.batch_size", 8, "text_recognition_batch_size"),
        ("seal_recognition", f"{LAYOUT}.threshold", {16: 0.3}, "layout_threshold"),
        ("seal_recognition", f"{LAYOUT}.threshold", 0, "layout_threshold"),
        ("seal_recognition", f"{LAYOUT}.layout_unclip_ratio", [1.1, 1.2], "layout_unclip_ratio"),
        ("seal_recognition", f"{LAYOUT}.layout_merge_bboxes_mode", {0: "small"}, "layout_merge_bboxes_mode"),
        ("seal_recognition", f"{SEAL_DETECTION}.box_thresh", 1, "seal_det_box_thresh"),
        ("human_keypoint_detection", f"{PEOPLE}.threshold", 0.25, "det_threshold"),
    ],
)
def test_values_become_defaults(name, path, value, parameter):
    file = read(name, path, value)
    assert file.params[parameter] == value
    assert type(file.params[parameter]) is type(value)


@pytest.mark.parametrize(
    ("name", "path", "value", "says"),
    [
        ("OCR", "pipeline_name", "table_recognition", "pipeline_name is 'table_recognition'; allowed: OCR, seal"),
        ("OCR", "pipeline_name", 3, "pipeline_name is 3; allowed: a text"),
        ("OCR", "text_type", "seal", "text_type is 'seal'; allowed: 'general'"),
        ("OCR", "use_doc_preprocessor", "yes", "use_doc_preprocessor is 'yes'; allowed: True or False"),
        ("OCR", "use_doc_preprocessor", None, "use_doc_preprocessor is None; allowed: True or False"),
        ("OCR", "SubModules", [1], "SubModules is [1]; allowed: a section"),
        ("OCR", DETECTION, "det", f"{DETECTION} is 'det'; allowed: a section"),
        ("OCR", f"{DETECTION}.model_name", "../det", f"{DETECTION}.model_name is '../det'; allowed: the name"),
        ("OCR", f"{DETECTION}.model_name", None, f"{DETECTION}.model_name is None; allowed: a value"),
        ("OCR", f"{DETECTION}.model_dir", 3, f"{DETECTION}.model_dir is 3; allowed: a folder"),
        ("OCR", f"{DETECTION}.model_dir", "", f"{DETECTION}.model_dir is ''; allowed: a folder"),
        ("OCR", f"{DETECTION}.thresh", 1.5, f"{DETECTION}.thresh is 1.5; input should be less than or equal to 1"),
        ("OCR", f"{DETECTION}.thresh", True, f"{DETECTION}.thresh is True"),
        ("OCR", f"{DETECTION}.thresh", 0, f"{DETECTION}.thresh is 0; allowed: a value; by null and 0 PaddleX"),
        ("OCR", f"{DETECTION}.thresh", None, f"{DETECTION}.thresh is None; allowed: a value; by null and 0 PaddleX"),
        ("OCR", f"{DETECTION}.thresh", b"1", f"{DETECTION}.thresh is b'1'; allowed: a plain value"),
        ("OCR", f"{DETECTION}.limit_type", "mean", f"{DETECTION}.limit_type is 'mean'; "),
        ("OCR", f"{DETECTION}.input_shape", [3, 640, 640], f"{DETECTION}.input_shape is [3, 640, 640]; allowed: None"),
        ("OCR", f"{RECOGNITION}.input_shape", [3, 48, 320], f"{RECOGNITION}.input_shape is [3, 48, 320]"),
        (
            "OCR",
            f"{RECOGNITION}.score_thresh",
            None,
            f"{RECOGNITION}.score_thresh is None; allowed: a value; null is not",
        ),
        ("OCR", f"{RECOGNITION}.batch_size", 0, f"{RECOGNITION}.batch_size is 0; input should be greater"),
        ("OCR", f"{RECOGNITION}.batch_size", 33, f"{RECOGNITION}.batch_size is 33; input should be less than or"),
        ("OCR", f"{RECOGNITION}.batch_size", 1.0, f"{RECOGNITION}.batch_size is 1.0; "),
        ("OCR", "batch_size", 2, "batch_size is 2; allowed: 1; with more, PaddleX turns lines of several pages"),
        ("OCR", "SubPipelines.DocPreprocessor.pipeline_name", "OCR", "pipeline_name is 'OCR'; allowed: 'doc_prep"),
        ("seal_recognition", f"{LAYOUT}.threshold", {"seal": 0.5}, f"{LAYOUT}.threshold is {{'seal': 0.5}}; allowed:"),
        ("seal_recognition", f"{SEAL_OCR}.text_type", "general", f"{SEAL_OCR}.text_type is 'general'; allowed: 'seal'"),
        ("seal_recognition", f"{SEAL_OCR}.use_doc_preprocessor", True, f"{SEAL_OCR}.use_doc_preprocessor is True"),
        ("seal_recognition", f"{SEAL_DETECTION}.max_side_limit", 960, "max_side_limit is 960; allowed: 4000"),
        ("seal_recognition", f"{SEAL_RECOGNITION}.return_word_box", True, "return_word_box is True; allowed: False"),
        ("human_keypoint_detection", f"{PEOPLE}.threshold", 2, f"{PEOPLE}.threshold is 2; allowed: a number from 0"),
        ("human_keypoint_detection", f"{PEOPLE}.imgsz", 320, f"{PEOPLE}.imgsz is 320; allowed: None"),
        ("human_keypoint_detection", f"{JOINTS}.flip", True, f"{JOINTS}.flip is True; allowed: False"),
        ("human_keypoint_detection", f"{JOINTS}.use_udp", False, f"{JOINTS}.use_udp is False; allowed: None"),
        ("human_keypoint_detection", f"{JOINTS}.use_udp", True, f"{JOINTS}.use_udp is True; allowed: None"),
        ("OCR", "device", 0, "device is 0; allowed: a device"),
        ("OCR", "Serving", 1, "Serving is 1; allowed: a section"),
        ("OCR", "Serving.visualize", "yes", "Serving.visualize is 'yes'; allowed: True or False"),
        ("OCR", "Serving.extra.max_num_input_imgs", 0, "max_num_input_imgs is 0; allowed: a whole number from 1"),
        ("OCR", "Serving.extra.max_num_input_imgs", True, "max_num_input_imgs is True; allowed: a whole number"),
    ],
)
def test_refusals_say_where_and_what_is_allowed(name, path, value, says):
    with pytest.raises(PipelineFileError) as refused:
        read(name, path, value)
    assert str(refused.value).startswith("my.yaml: ")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("name", "path", "says"),
    [
        ("OCR", "pipeline_name", "my.yaml: pipeline_name is missing"),
        ("OCR", "text_type", "my.yaml: text_type is missing"),
        ("OCR", DETECTION, f"{DETECTION} is missing; the pipeline cannot do without it"),
        ("OCR", "SubModules.TextLineOrientation", "is missing; use_textline_orientation is on, as it also is where"),
        ("OCR", "SubPipelines", "SubPipelines.DocPreprocessor is missing; use_doc_preprocessor is on"),
        ("OCR", f"{DETECTION}.model_name", f"{DETECTION}.model_name is missing"),
        ("seal_recognition", LAYOUT, f"{LAYOUT} is missing; use_layout_detection is on"),
        ("seal_recognition", f"{SEAL_OCR}.use_textline_orientation", "use_textline_orientation is True, as it also is"),
        ("human_keypoint_detection", "SubModules", f"{PEOPLE} is missing"),
    ],
)
def test_what_must_be_there(name, path, says):
    with pytest.raises(PipelineFileError) as refused:
        read(name, path)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("OCR", "engine", "onnxruntime"),
        ("OCR", "use_hpip", True),
        ("OCR", f"{DETECTION}.hpi_config", {"backend": "tensorrt"}),
        ("OCR", f"{DETECTION}.batch_size", 4),
        ("OCR", f"{DETECTION}.max_side_len", 4000),
        ("OCR", f"{DETECTION}.module_name", "text_recognition"),
        ("OCR", f"{DETECTION}.tresh", 0.1),
        ("OCR", "Serving.extra.file_storage", {"type": "memory"}),
        ("OCR", "Serving.workers", 4),
        ("OCR", "SubPipelines.DocPreprocessor.batch_size", 2),
        ("OCR", "SubPipelines.Other", {"a": 1}),
        ("OCR", "Hpi", {"a": 1}),
        ("human_keypoint_detection", f"{JOINTS}.batch_size", 8),
        ("human_keypoint_detection", f"{PEOPLE}.img_size", 640),
        ("human_keypoint_detection", "batch_size", 2),
    ],
)
def test_what_has_no_meaning_is_remarked_on_once(name, path, value):
    file = read(name, path, value)
    assert file.params == read(name).params
    (remark,) = file.remarks
    assert remark.startswith(f"my.yaml: {path} is ")
    assert "\n" not in remark


def test_a_remark_does_not_show_all_of_a_long_value():
    (remark,) = read("OCR", "notes", "x" * 10_000).remarks
    assert len(remark) < 200


@pytest.mark.parametrize("key", ["a\nb", "\x1b[31m", "k" * 5000])
def test_a_remark_is_a_short_line_whatever_the_key(key):
    (remark,) = read("OCR", key, 1).remarks
    assert remark.isprintable()
    assert len(remark) < 200


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, 1), (20, 20), (21, 21), (500, 21)])
def test_remarks_are_not_without_end(count, shown):
    config = {**pipeline_files.shipped("OCR"), **{f"key{index}": 1 for index in range(count)}}
    remarks = read_pipeline_config(config).remarks
    assert len(remarks) == shown
    if count > 20:
        assert remarks[-1] == f"config: {count - 20} more keys have no meaning here"


@pytest.mark.parametrize(("folder", "remarks"), [(None, 1), ("my/layout", 2)])
def test_the_threshold_of_ones_own_layout_network(folder, remarks):
    config = pipeline_files.changed(pipeline_files.shipped("seal_recognition"), f"{LAYOUT}.model_dir", folder)
    file = read_pipeline_config(pipeline_files.changed(config, f"{LAYOUT}.threshold"))
    assert file.params["layout_threshold"] == 0.5
    assert len(file.remarks) == remarks
    assert ("draw_threshold" in file.remarks[0]) is (folder is not None)


@pytest.mark.parametrize(("path", "value"), [("engine", None), ("use_hpip", False), (f"{DETECTION}.batch_size", 1)])
def test_what_goes_without_saying_needs_no_remark(path, value):
    assert read("OCR", path, value).remarks == ()


def test_pages_may_come_in_batches_where_lines_are_not_turned_together():
    config = pipeline_files.changed(pipeline_files.shipped("OCR"), "batch_size", 4)
    alone = pipeline_files.changed(config, "SubModules.TextLineOrientation.batch_size", 1)
    off = pipeline_files.changed(config, "use_textline_orientation", False)
    for one in (alone, off):
        assert [remark.split(":")[1] for remark in read_pipeline_config(one).remarks] == [" batch_size is 4"]


@pytest.mark.parametrize(
    ("serving", "expected"),
    [
        ({}, Serving(True, 10)),
        ({"visualize": False}, Serving(False, 10)),
        ({"extra": None}, Serving(True, 10)),
        ({"extra": {"max_num_input_imgs": None}}, Serving(True, None)),
        ({"extra": {"max_num_input_imgs": 1}}, Serving(True, 1)),
        ({"extra": {"max_output_img_size": [100, 200]}}, Serving(max_output_img_size=(100, 200))),
        ({"extra": {"max_output_img_size": None}}, Serving(max_output_img_size=None)),
        ({"return_urls": True}, Serving(return_urls=True)),
        ({"extra": {"return_img_urls": True}}, Serving(return_urls=True)),
        ({"return_urls": False, "extra": {"return_img_urls": True}}, Serving(return_urls=False)),
    ],
)
def test_the_section_of_the_gateway(serving, expected):
    assert read("seal_recognition", "Serving", serving).serving == expected


@pytest.mark.parametrize("size", [0, [100], [100, 0], [1.5, 2], "large", [True, 2]])
def test_a_size_of_pictures_that_is_none(size):
    with pytest.raises(PipelineFileError, match=r"Serving\.extra\.max_output_img_size"):
        read("OCR", "Serving.extra.max_output_img_size", size)


def test_a_device():
    assert read("OCR", "device", "gpu:0").device == "gpu:0"


@pytest.mark.parametrize("config", [{}, {"SubModules": {}}])
def test_nothing_is_no_file(config):
    with pytest.raises(PipelineFileError, match=r"config: pipeline_name is missing"):
        read_pipeline_config(config)


@pytest.mark.parametrize("config", [{5: 1}, {"pipeline_name": "OCR", None: 1}])
def test_keys_are_texts(config):
    with pytest.raises(PipelineFileError, match=r"config: the key (5|None) is no text"):
        read_pipeline_config(config)


def test_keys_inside_are_texts():
    with pytest.raises(PipelineFileError, match=r"the key 5 in SubModules.TextDetection is no text"):
        read("OCR", DETECTION, {5: 1})


def test_the_configuration_is_left_as_it_is():
    config = pipeline_files.shipped("seal_recognition")
    read_pipeline_config(config)
    assert config == pipeline_files.shipped("seal_recognition")


@pytest.mark.parametrize(
    ("name", "is_file"), [("a.yaml", True), ("A.YML", True), ("dir/OCR.yaml", True), ("OCR", False), ("yaml", False)]
)
def test_what_is_taken_for_a_file(name, is_file):
    assert is_pipeline_file(name) is is_file


@pytest.mark.parametrize("name", PIPELINES)
def test_a_file_and_what_it_holds_are_the_same(tmp_path, name):
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(pipeline_files.shipped(name)))
    file, config = read_pipeline_file(path), read_pipeline_config(pipeline_files.shipped(name))
    assert file.origin == str(path)
    assert (file.networks, file.params, file.serving) == (config.networks, config.params, config.serving)
