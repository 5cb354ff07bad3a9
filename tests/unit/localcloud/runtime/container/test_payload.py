"""Bodies as rows, predictions as answers."""

import json

import numpy as np
import pytest

from include.localcloud.runtime.container.payload import media_type, read_csv, read_libsvm, render


def test_csv_rows_are_lines_and_an_empty_field_is_missing():
    rows = read_csv("1,2.5,\n-3,,4e2\n")
    np.testing.assert_array_equal(rows, np.array([[1, 2.5, np.nan], [-3, np.nan, 400]], dtype=np.float32))


@pytest.mark.parametrize("text", ["a,b", "1,2\n3", "1;2"])
def test_what_is_no_table_of_numbers_is_refused(text):
    with pytest.raises(ValueError, match=r"convert|equal"):
        read_csv(text)


def test_libsvm_counts_from_1_unless_a_0_appears_and_skips_the_label():
    nan = np.nan
    np.testing.assert_array_equal(
        read_libsvm("1 1:5 3:7\n0 2:6", 3), np.array([[5, nan, 7], [nan, 6, nan]], dtype=np.float32)
    )
    np.testing.assert_array_equal(read_libsvm("0:5 2:7", 3), np.array([[5, nan, 7]], dtype=np.float32))


def test_a_libsvm_index_beyond_the_model_is_refused():
    with pytest.raises(ValueError, match="feature index 4 is outside the model's 3 features"):
        read_libsvm("1:1 4:1", 3)


def test_answers_are_written_as_the_container_writes_them():
    predictions = np.array([0.1, 0.75], dtype=np.float32)
    csv = render(predictions, "text/csv")
    assert (csv.body, csv.content_type) == (b"0.10000000149011612,0.75", "text/csv; charset=utf-8")
    assert json.loads(render(predictions, "application/json").body) == {
        "predictions": [{"score": 0.10000000149011612}, {"score": 0.75}]
    }
    assert render(predictions, "application/jsonlines").body.splitlines()[1] == b'{"score": 0.75}'


def test_a_media_type_is_read_without_its_parameters():
    assert media_type(" Text/CSV ; charset=utf-8") == "text/csv"
