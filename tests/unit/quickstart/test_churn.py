import numpy as np
import pytest

from quickstart import churn


def test_there_are_69_columns_and_each_one_hot_group_sums_to_one():
    rows = churn.customers(500, seed=1).features
    assert len(churn.COLUMNS) == len(set(churn.COLUMNS)) == 69 == rows.shape[1]
    for group in ("State_", "Area Code_", "Int'l Plan_", "VMail Plan_"):
        columns = [index for index, name in enumerate(churn.COLUMNS) if name.startswith(group)]
        assert (rows[:, columns].sum(axis=1) == 1).all()


def test_the_same_seed_gives_the_same_customers_and_another_seed_others():
    first, again, other = (churn.customers(50, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.features, again.features)
    assert np.array_equal(first.left, again.left)
    assert not np.array_equal(first.features, other.features)


def test_about_one_customer_in_seven_leaves():
    assert churn.customers(20_000, seed=2).left.mean() == pytest.approx(1 / 7, abs=0.03)


def test_voice_mail_messages_belong_to_the_voice_mail_plan():
    rows = churn.customers(500, seed=5).features
    messages = rows[:, churn.COLUMNS.index("VMail Message")]
    plan = rows[:, churn.COLUMNS.index("VMail Plan_yes")]
    assert ((messages > 0) == (plan == 1)).all()


def test_csv_rows_read_back_as_they_were():
    rows = churn.customers(20, seed=6).features
    text = churn.csv(rows)
    assert np.array_equal(np.loadtxt(text.splitlines(), delimiter=","), rows)
    assert ".0," not in text
