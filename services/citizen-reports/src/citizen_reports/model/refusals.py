"""The refusals of this service; each code names the violated rule."""

from chassis.refusals import Kind, Refusal


class ReportNotFound(Refusal):
    """The report does not exist, or the caller may not read it."""

    kind = Kind.NOT_FOUND
    code = "REPORT_NOT_FOUND"


class ReportAlreadySubmitted(Refusal):
    code = "REPORT_ALREADY_SUBMITTED"


class ReportEmpty(Refusal):
    """The report has neither words nor media, and is no silent alarm."""

    code = "REPORT_EMPTY"


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


class MediaNotBlurredYet(Refusal):
    """The form without faces and plates is still to be made; nothing else of it may be shown."""

    code = "MEDIA_NOT_BLURRED_YET"


class MediaHasNoBlurredForm(Refusal):
    """A film or voice message; only its clean form can be opened, by those who may."""

    code = "MEDIA_HAS_NO_BLURRED_FORM"


class MediaRefused(Refusal):
    """A file that could not be used, or whose rest did not come: nothing of it is kept."""

    code = "MEDIA_REFUSED"


class MediaHasNoFirstFrame(Refusal):
    """No film, or one of before first frames were kept."""

    code = "MEDIA_HAS_NO_FIRST_FRAME"


class ResumeTokenWrong(Refusal):
    kind = Kind.INVALID
    code = "RESUME_TOKEN_WRONG"


class NothingAsked(Refusal):
    code = "NOTHING_ASKED"


class ReportNotAnswered(Refusal):
    code = "REPORT_NOT_ANSWERED"


class AlreadyDisputed(Refusal):
    code = "ALREADY_DISPUTED"


class WithdrawalNotAllowed(Refusal):
    """The reporter cannot take the report back. The fact `reason` says why."""

    code = "WITHDRAWAL_NOT_ALLOWED"


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


class CategoryNotRaised(Refusal):
    """The report already has this category, or one that is kept more secret."""

    code = "CATEGORY_NOT_RAISED"


class ReportMerged(Refusal):
    """The report follows another one of the same incident; that one is handled."""

    code = "REPORT_MERGED"


class MergeNotAllowed(Refusal):
    """The reports cannot be merged. The fact `reason` says why."""

    code = "MERGE_NOT_ALLOWED"


class AlreadyUrgent(Refusal):
    """The report is an emergency by its category."""

    code = "ALREADY_URGENT"


class UrgencyNotProposed(Refusal):
    """No words of the reporter propose that the report is urgent, or somebody has judged them."""

    code = "URGENCY_NOT_PROPOSED"


class NotAComplaint(Refusal):
    code = "NOT_A_COMPLAINT"


class OfficerNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "OFFICER_NOT_FOUND"


class PostingNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "POSTING_NOT_FOUND"


class PostingEnded(Refusal):
    code = "POSTING_ENDED"


class LogInTaken(Refusal):
    kind = Kind.EXISTS
    code = "LOG_IN_TAKEN"


class WebhookAddressMissing(Refusal):
    """The partner's row has no address for webhooks."""

    code = "WEBHOOK_ADDRESS_MISSING"


class WebhookHostNotAllowed(Refusal):
    """The address for webhooks is none to which this installation may send."""

    code = "WEBHOOK_HOST_NOT_ALLOWED"


class BadgeTaken(Refusal):
    kind = Kind.EXISTS
    code = "BADGE_TAKEN"


class AnotherOfficerRequired(Refusal):
    """A disputed report is neither taken nor answered by the operator whose answer is disputed."""

    code = "ANOTHER_OFFICER_REQUIRED"


class ArrivalNotExpected(Refusal):
    """Nobody has to be at the place of this report within minutes."""

    code = "ARRIVAL_NOT_EXPECTED"


class ArrivalRequired(Refusal):
    """An emergency is not answered before somebody has been there."""

    code = "ARRIVAL_REQUIRED"


class WaitingTimeUsed(Refusal):
    """Earlier questions have stopped the deadline for as long as is allowed."""

    code = "WAITING_TIME_USED"


class ExtensionNotAllowed(Refusal):
    """The law allows no extension for this report, or its deadline does not run now."""

    code = "EXTENSION_NOT_ALLOWED"


class AlreadyExtended(Refusal):
    code = "ALREADY_EXTENDED"


class DeadlinePassed(Refusal):
    code = "DEADLINE_PASSED"


class RoutingNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "ROUTING_NOT_FOUND"


class RoutingNotReplayed(Refusal):
    """A version of the routing rules is made active only after it was replayed."""

    code = "ROUTING_NOT_REPLAYED"


class UnitReceivesReports(Refusal):
    """Routing rules send reports to a unit that would no longer exist, or not take them."""

    code = "UNIT_RECEIVES_REPORTS"


class HoldNotFound(Refusal):
    """There is no hold with this id."""

    kind = Kind.NOT_FOUND
    code = "HOLD_NOT_FOUND"


class TemplateNotFound(Refusal):
    """There is no such template of answers, or it was withdrawn."""

    kind = Kind.NOT_FOUND
    code = "TEMPLATE_NOT_FOUND"


class TemplateChangedMeanwhile(Refusal):
    """The template has another version than the one that was shown."""

    kind = Kind.CONFLICT
    code = "TEMPLATE_CHANGED_MEANWHILE"


class TemplateNotForReport(Refusal):
    """The template answers other kinds of reports."""

    code = "TEMPLATE_NOT_FOR_REPORT"


class AnswerWaiting(Refusal):
    """Another answer to the report waits already."""

    code = "ANSWER_WAITING"


class AnswerNotInBulk(Refusal):
    """Reports of this category are answered one by one."""

    code = "ANSWER_NOT_IN_BULK"


class AnswerNotFound(Refusal):
    """The caller gave no answer by this request."""

    kind = Kind.NOT_FOUND
    code = "ANSWER_NOT_FOUND"
