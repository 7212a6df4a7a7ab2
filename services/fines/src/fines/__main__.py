"""The command line of the service: `python -m fines serve | migrate`."""

from host.runtime import main

from fines.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
