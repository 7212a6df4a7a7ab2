"""Cameras whose streams are watched for ever: leases, a ledger of frames, a gate of motion."""
