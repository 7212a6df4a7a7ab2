"""The command line of the service: `python -m camera_registry serve | migrate`."""

from host.runtime import main

from camera_registry.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
