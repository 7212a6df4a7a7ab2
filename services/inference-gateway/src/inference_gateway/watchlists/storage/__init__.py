"""Storage of watch-lists: entries, candidates and their reviews."""

from inference_gateway.watchlists.storage.candidates import (
    add_candidate as add_candidate,
)
from inference_gateway.watchlists.storage.candidates import (
    add_review as add_review,
)
from inference_gateway.watchlists.storage.candidates import (
    candidate as candidate,
)
from inference_gateway.watchlists.storage.candidates import (
    candidate_for_review as candidate_for_review,
)
from inference_gateway.watchlists.storage.candidates import (
    candidates_page as candidates_page,
)
from inference_gateway.watchlists.storage.candidates import (
    decide as decide,
)
from inference_gateway.watchlists.storage.candidates import (
    forget_evidence as forget_evidence,
)
from inference_gateway.watchlists.storage.candidates import (
    forgettable as forgettable,
)
from inference_gateway.watchlists.storage.candidates import (
    region_of_candidate as region_of_candidate,
)
from inference_gateway.watchlists.storage.candidates import (
    saw_again as saw_again,
)
from inference_gateway.watchlists.storage.candidates import (
    seen_just_now as seen_just_now,
)
from inference_gateway.watchlists.storage.candidates import (
    unreviewed as unreviewed,
)
from inference_gateway.watchlists.storage.entries import (
    Changed as Changed,
)
from inference_gateway.watchlists.storage.entries import (
    Closing as Closing,
)
from inference_gateway.watchlists.storage.entries import (
    add_entry as add_entry,
)
from inference_gateway.watchlists.storage.entries import (
    changed as changed,
)
from inference_gateway.watchlists.storage.entries import (
    close as close,
)
from inference_gateway.watchlists.storage.entries import (
    entries_page as entries_page,
)
from inference_gateway.watchlists.storage.entries import (
    entry as entry,
)
from inference_gateway.watchlists.storage.entries import (
    entry_ids as entry_ids,
)
from inference_gateway.watchlists.storage.entries import (
    hold_in_force as hold_in_force,
)
from inference_gateway.watchlists.storage.entries import (
    overdue as overdue,
)
from inference_gateway.watchlists.storage.entries import (
    put_in_force as put_in_force,
)
from inference_gateway.watchlists.storage.entries import (
    region_of_entry as region_of_entry,
)
from inference_gateway.watchlists.storage.entries import (
    template_place as template_place,
)
from inference_gateway.watchlists.storage.entries import (
    version as version,
)
from inference_gateway.watchlists.storage.tables import (
    KEY_CLASS as KEY_CLASS,
)
from inference_gateway.watchlists.storage.tables import (
    OFFICER as OFFICER,
)
from inference_gateway.watchlists.storage.tables import (
    candidates as candidates,
)
from inference_gateway.watchlists.storage.tables import (
    changes as changes,
)
from inference_gateway.watchlists.storage.tables import (
    entries as entries,
)
from inference_gateway.watchlists.storage.tables import (
    reviews as reviews,
)
