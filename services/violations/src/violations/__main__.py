"""The command line of the service: `python -m violations serve | migrate`."""

from host.runtime import main

from violations.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
