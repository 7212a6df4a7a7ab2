"""`python -m inference_gateway serve | migrate`."""

from host.runtime import main

from inference_gateway.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
