"""A list of fines can be filtered by every state of the contract."""

from fines.grpc_api.messages import STATES, state_filter
from fines.model.fine import State
from tartip.fines.v1 import fines_pb2


def test_a_state_that_is_reserved_for_later_narrows_to_no_fine() -> None:
    assert state_filter(fines_pb2.FINE_STATE_APPEALED) not in {state.value for state in State}


def test_every_state_narrows_to_the_fines_in_it_and_none_to_all() -> None:
    for state, number in STATES.items():
        assert state_filter(number) == state.value
    assert state_filter(fines_pb2.FINE_STATE_UNSPECIFIED) == ""
