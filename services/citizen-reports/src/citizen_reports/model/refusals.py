"""The refusals of this service; each code names the violated rule."""

from chassis.refusals import Kind, Refusal


class ReportNotFound(Refusal):
    """The report does not exist, or the caller may not read it."""

    kind = Kind.NOT_FOUND
    code = "REPORT_NOT_FOUND"


class ReportAlreadySubmitted(Refusal):
    code = "REPORT_ALREADY_SUBMITTED"


class ReportEmpty(Refusal):
    """The report has neither words nor media, and is neither a silent alarm nor a complaint."""

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
    """The file cannot be read as a photograph, film or voice message: damaged, cut or other."""

    kind = Kind.INVALID
    code = "MEDIA_NOT_A_PICTURE"


class MediaOtherThanAnnounced(Refusal):
    kind = Kind.INVALID
    code = "MEDIA_OTHER_THAN_ANNOUNCED"


class MediaKindNotTaken(Refusal):
    kind = Kind.INVALID
    code = "MEDIA_KIND_NOT_TAKEN"


class MediaBeyondLimits(Refusal):
    """Reading the file would take more memory or time than is allowed for one file."""

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
    """The picture must be shown in its blurred form, which was not made yet."""

    code = "MEDIA_NOT_BLURRED_YET"


class MediaHasNoBlurredForm(Refusal):
    """The file is a film or voice message: it can be opened only in its clean form."""

    code = "MEDIA_HAS_NO_BLURRED_FORM"


class MediaRefused(Refusal):
    """The file could not be used, or was not uploaded completely: nothing of it is kept."""

    code = "MEDIA_REFUSED"


class MediaHasNoFirstFrame(Refusal):
    """The file is no film, or was uploaded before first frames were kept."""

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
    """The reporter cannot withdraw the report. The fact `reason` says why."""

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
    """The wanted category is not kept more secret than the present category of the report."""

    code = "CATEGORY_NOT_RAISED"


class ReportMerged(Refusal):
    """The report is merged under a parent; only the parent is handled."""

    code = "REPORT_MERGED"


class MergeNotAllowed(Refusal):
    """The reports cannot be merged. The fact `reason` says why."""

    code = "MERGE_NOT_ALLOWED"


class AlreadyUrgent(Refusal):
    """The report is an emergency by its category, so nobody need confirm that it is urgent."""

    code = "ALREADY_URGENT"


class UrgencyNotProposed(Refusal):
    """The urgency of the report is not proposed, or an operator has already judged it."""

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
    """This installation may not send webhooks to the address in the partner's row."""

    code = "WEBHOOK_HOST_NOT_ALLOWED"


class BadgeTaken(Refusal):
    kind = Kind.EXISTS
    code = "BADGE_TAKEN"


class AnotherOfficerRequired(Refusal):
    """The operator's answer was disputed: another operator must take and answer the report."""

    code = "ANOTHER_OFFICER_REQUIRED"


class ArrivalNotExpected(Refusal):
    """The report is not an open emergency, so that no arrival can be recorded."""

    code = "ARRIVAL_NOT_EXPECTED"


class ArrivalRequired(Refusal):
    """The report is an emergency: it cannot be answered before an arrival is recorded."""

    code = "ARRIVAL_REQUIRED"


class WaitingTimeUsed(Refusal):
    """Earlier questions have stopped the clock of the answer for as long as is allowed."""

    code = "WAITING_TIME_USED"


class ExtensionNotAllowed(Refusal):
    """The law allows no extension in this category, or the answer has no running deadline."""

    code = "EXTENSION_NOT_ALLOWED"


class AlreadyExtended(Refusal):
    code = "ALREADY_EXTENDED"


class DeadlinePassed(Refusal):
    code = "DEADLINE_PASSED"


class RoutingNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "ROUTING_NOT_FOUND"


class RoutingNotReplayed(Refusal):
    """The version of the routing rules cannot be made active before it was replayed."""

    code = "ROUTING_NOT_REPLAYED"


class UnitReceivesReports(Refusal):
    """Routing rules send reports to the unit, which after this change could not take them."""

    code = "UNIT_RECEIVES_REPORTS"


class HoldNotFound(Refusal):
    """There is no hold with this id."""

    kind = Kind.NOT_FOUND
    code = "HOLD_NOT_FOUND"


class TemplateNotFound(Refusal):
    """There is no answer template of this name, or it was withdrawn."""

    kind = Kind.NOT_FOUND
    code = "TEMPLATE_NOT_FOUND"


class TemplateChangedMeanwhile(Refusal):
    """The answer template has a newer version than the operator was shown."""

    kind = Kind.CONFLICT
    code = "TEMPLATE_CHANGED_MEANWHILE"


class TemplateNotForReport(Refusal):
    """The answer template, or its outcome, is not for reports of this category."""

    code = "TEMPLATE_NOT_FOR_REPORT"


class AnswerWaiting(Refusal):
    """Another answer to the report is waiting to be sent."""

    code = "ANSWER_WAITING"


class AnswerNotInBulk(Refusal):
    """Reports of this category must be answered one by one, not many by one request."""

    code = "ANSWER_NOT_IN_BULK"


class AnswerNotFound(Refusal):
    """The caller gave no answer with this request id."""

    kind = Kind.NOT_FOUND
    code = "ANSWER_NOT_FOUND"
