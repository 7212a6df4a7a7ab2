"""The number of a fine."""

from fines.model.fine import is_number, new_number


def test_fine_numbers_carry_a_check_digit() -> None:
    number = new_number()
    assert is_number(number)
    for place in range(15):
        wrong = str((int(number[place]) + 1) % 10)
        assert not is_number(number[:place] + wrong + number[place + 1 :])
