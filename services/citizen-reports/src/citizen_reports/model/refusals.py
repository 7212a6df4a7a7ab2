"""Every "no" of this service, by the rule that was broken."""

from chassis.refusals import Kind, Refusal, Says


class ReportNotFound(Refusal):
    """Also for a report that the caller may not see: both answers are one."""

    kind = Kind.NOT_FOUND
    code = "REPORT_NOT_FOUND"
    says = Says(
        en="There is no such report.", ru="Такого сообщения нет.", kk="Мұндай хабарлама жоқ."
    )


class ReportAlreadySubmitted(Refusal):
    code = "REPORT_ALREADY_SUBMITTED"
    says = Says(
        en="This report is already registered; nothing can be added to it.",
        ru="Это сообщение уже зарегистрировано; дополнить его нельзя.",
        kk="Бұл хабарлама тіркелген; оған ештеңе қосуға болмайды.",
    )


class MediaGap(Refusal):
    code = "MEDIA_GAP"
    says = Says(
        en="A piece is missing before this one; go on from received_bytes.",
        ru="Перед этой частью есть пропуск; продолжите с received_bytes.",
        kk="Бұл бөліктің алдында бос орын бар; received_bytes мәнінен жалғастырыңыз.",
    )


class MediaDiffers(Refusal):
    kind = Kind.INVALID
    code = "MEDIA_DIFFERS"
    says = Says(
        en="What arrived is not what was announced (size, type or SHA-256). Send it anew.",
        ru="Полученное отличается от объявленного (размер, тип или SHA-256). Отправьте заново.",
        kk="Келген файл жарияланғаннан өзгеше (өлшемі, түрі немесе SHA-256). Қайта жіберіңіз.",
    )


class TooManyMedia(Refusal):
    code = "TOO_MANY_MEDIA"
    says = Says(
        en="A report takes at most ten pictures and films.",
        ru="К сообщению можно приложить не более десяти файлов.",
        kk="Хабарламаға оннан артық файл тіркеуге болмайды.",
    )


class MediaIncomplete(Refusal):
    code = "MEDIA_INCOMPLETE"
    says = Says(
        en="A picture or film has not arrived whole; send the rest first.",
        ru="Файл загружен не полностью; сначала отправьте остаток.",
        kk="Файл толық жүктелмеген; алдымен қалғанын жіберіңіз.",
    )


class MediaNotAPicture(Refusal):
    kind = Kind.INVALID
    code = "MEDIA_NOT_A_PICTURE"
    says = Says(
        en="A file is not the picture or film it says it is; send it again under its media_id.",
        ru="Файл не является заявленным снимком или видео; отправьте его заново.",
        kk="Файл көрсетілген сурет не бейне емес; оны сол media_id бойынша қайта жіберіңіз.",
    )


class MediaNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "MEDIA_NOT_FOUND"
    says = Says(
        en="This report has no such picture or film.",
        ru="В этом сообщении нет такого снимка или видео.",
        kk="Бұл хабарламада мұндай сурет не бейне жоқ.",
    )


class MediaNotStored(Refusal):
    code = "MEDIA_NOT_STORED"
    says = Says(
        en="This file does not lie in the evidence store yet; try again in a minute.",
        ru="Этот файл ещё не помещён в хранилище доказательств; повторите через минуту.",
        kk="Бұл файл дәлелдер қоймасына әлі қойылмаған; бір минуттан кейін қайталаңыз.",
    )


class ResumeTokenWrong(Refusal):
    kind = Kind.INVALID
    code = "RESUME_TOKEN_WRONG"
    says = Says(
        en="This resume token was not given by this stream.",
        ru="Этот токен возобновления не выдан этим потоком.",
        kk="Бұл жалғастыру токенін осы ағын бермеген.",
    )


class NothingAsked(Refusal):
    code = "NOTHING_ASKED"
    says = Says(
        en="No question is open on this report.",
        ru="По этому сообщению нет открытого вопроса.",
        kk="Бұл хабарлама бойынша ашық сұрақ жоқ.",
    )


class ReportNotAnswered(Refusal):
    code = "REPORT_NOT_ANSWERED"
    says = Says(
        en="There is no answer to dispute, or the time to dispute it has passed.",
        ru="Нет ответа, который можно оспорить, или срок оспаривания прошёл.",
        kk="Дау айтатын жауап жоқ немесе мерзімі өткен.",
    )


class AlreadyDisputed(Refusal):
    code = "ALREADY_DISPUTED"
    says = Says(
        en="This answer was already disputed once.",
        ru="Этот ответ уже был оспорен.",
        kk="Бұл жауапқа бұрын дау айтылған.",
    )


class StatusNotAllowed(Refusal):
    code = "STATUS_NOT_ALLOWED"
    says = Says(
        en="The report's present status does not allow this.",
        ru="Текущий статус сообщения этого не допускает.",
        kk="Хабарламаның қазіргі мәртебесі бұған жол бермейді.",
    )


class ReportChangedMeanwhile(Refusal):
    kind = Kind.CONFLICT
    code = "REPORT_CHANGED_MEANWHILE"
    says = Says(
        en="The report has changed since it was shown. Read it again.",
        ru="Сообщение изменилось после того, как было показано. Откройте его заново.",
        kk="Хабарлама көрсетілгеннен кейін өзгерді. Оны қайта ашыңыз.",
    )


class NotTraffic(Refusal):
    code = "NOT_TRAFFIC"
    says = Says(
        en="Only a report of a traffic violation can become a violation candidate.",
        ru="Кандидатом в нарушения может стать только сообщение о нарушении ПДД.",
        kk="Тек жол ережесін бұзу туралы хабарлама құқықбұзушылыққа үміткер бола алады.",
    )


class NoEvidence(Refusal):
    code = "NO_EVIDENCE"
    says = Says(
        en="The report has no picture or film in the evidence store (or not yet).",
        ru="У сообщения нет снимка или видео в хранилище доказательств (или пока нет).",
        kk="Хабарламаның дәлелдер қоймасында суреті не бейнесі жоқ (немесе әлі жоқ).",
    )


class CalendarYearMissing(Refusal):
    kind = Kind.AWAY
    code = "CALENDAR_YEAR_MISSING"
    says = Says(
        en="The calendar of working days has no table for this year yet.",
        ru="В календаре рабочих дней ещё нет таблицы на этот год.",
        kk="Жұмыс күндері күнтізбесінде бұл жылдың кестесі әлі жоқ.",
    )
