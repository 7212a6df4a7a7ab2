"""`python -m operator_gateway serve`."""

from chassis.runtime import main

from operator_gateway.app import SERVICE

main(SERVICE)
