"""The refusals of this service; each code names the violated rule."""

from chassis.refusals import Kind, Refusal


class ReportNotFound(Refusal):
    """The report does not exist, or the caller may not read it."""

    kind = Kind.NOT_FOUND
    code = "REPORT_NOT_FOUND"


class ReportAlreadySubmitted(Refusal):
    code = "REPORT_ALREADY_SUBMITTED"


class MediaGap(Refusal):
    code = "MEDIA_GAP"


class MediaDiffers(Refusal):
    kind = Kind.INVALID
    code = "MEDIA_DIFFERS"


class TooManyMedia(Refusal):
    code = "TOO_MANY_MEDIA"


class MediaIncomplete(Refusal):
    code = "MEDIA_INCOMPLETE"


class MediaNotAPicture(Refusal):
    """No photograph, film or voice message that can be read: damaged, cut or something else."""

    kind = Kind.INVALID
    code = "MEDIA_NOT_A_PICTURE"


class MediaOtherThanAnnounced(Refusal):
    kind = Kind.INVALID
    code = "MEDIA_OTHER_THAN_ANNOUNCED"


class MediaKindNotTaken(Refusal):
    kind = Kind.INVALID
    code = "MEDIA_KIND_NOT_TAKEN"


class MediaBeyondLimits(Refusal):
    """To read the file would take more memory or time than a file may take."""

    kind = Kind.INVALID
    code = "MEDIA_BEYOND_LIMITS"


class MediaTooLarge(Refusal):
    kind = Kind.INVALID
    code = "MEDIA_TOO_LARGE"


class MediaNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "MEDIA_NOT_FOUND"


class MediaNotStored(Refusal):
    code = "MEDIA_NOT_STORED"


class ResumeTokenWrong(Refusal):
    kind = Kind.INVALID
    code = "RESUME_TOKEN_WRONG"


class NothingAsked(Refusal):
    code = "NOTHING_ASKED"


class ReportNotAnswered(Refusal):
    code = "REPORT_NOT_ANSWERED"


class AlreadyDisputed(Refusal):
    code = "ALREADY_DISPUTED"


class StatusNotAllowed(Refusal):
    code = "STATUS_NOT_ALLOWED"


class ReportChangedMeanwhile(Refusal):
    kind = Kind.CONFLICT
    code = "REPORT_CHANGED_MEANWHILE"


class NotTraffic(Refusal):
    code = "NOT_TRAFFIC"


class NoEvidence(Refusal):
    code = "NO_EVIDENCE"


class CalendarYearMissing(Refusal):
    kind = Kind.UNAVAILABLE
    code = "CALENDAR_YEAR_MISSING"
