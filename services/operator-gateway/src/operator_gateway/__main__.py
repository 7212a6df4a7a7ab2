"""`python -m operator_gateway serve`."""

from host.runtime import main

from operator_gateway.app import SERVICE

main(SERVICE)
