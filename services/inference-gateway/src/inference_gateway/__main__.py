"""The command line of the service: `python -m inference_gateway serve` or `migrate`."""

from host.runtime import main

from inference_gateway.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
