"""Evidence: kept sealed in two forms, the original and the one that operators are shown."""

from inference_gateway.evidence.vault import (
    MOST_BYTES,
    EvidenceNotFound,
    EvidenceTooLarge,
    ShownEvidence,
    Vault,
)

__all__ = ["MOST_BYTES", "EvidenceNotFound", "EvidenceTooLarge", "ShownEvidence", "Vault"]
