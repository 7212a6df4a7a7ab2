"""The command line of the service: `python -m citizen_reports serve | migrate`."""

from host.runtime import main

from citizen_reports.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
