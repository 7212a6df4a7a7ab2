"""The texts of letters in Kazakh and Russian: labels, time limits and the format of readings."""

from dataclasses import dataclass

from law.fine_dates import DayCount

from fines.model.prescription import Particulars

NOTHING = "–"


@dataclass(frozen=True)
class DayWords:
    many: str
    """After a number of days."""
    ordinal: str
    """After "the seventh"."""


@dataclass(frozen=True)
class Words:
    """The texts of a letter in one language. Some, such as `terms`, have placeholders such as
    {percent}, which `letters` fills by `str.format`."""

    language: str
    title: str
    labels: tuple[str, ...]
    terms: tuple[str, ...]
    full: str
    discounted: str
    last_day: str
    days: dict[DayCount, DayWords]
    evidence: str
    speed: str
    limit: str
    over: str
    phases: dict[str, str]
    seconds: str
    past_stop_line: str
    before_stop_line: str
    assumed: str
    """The warning on a letter that was computed with assumed years."""

    def choose(self, *, kk: str, ru: str) -> str:
        return kk if self.language == "kk" else ru


KK = Words(
    language="kk",
    title="Айыппұл төлеу қажеттігі туралы нұсқама",
    labels=(
        "Нұсқаманы шығарған орган",
        "Органның мекенжайы",
        "Көлік құралының меншік иесі",
        "ЖСН/БСН",
        "Туған күні",
        "Мекенжайы",
        "Көлік құралы",
        "Мемлекеттік тіркеу нөмірі",
        "Күні мен уақыты (Алматы)",
        "Орны",
        "Құқық бұзушылықтың мәні",
        "ӘҚБтК бабы",
        "Тіркелген көрсеткіштер",
        "Құрылғы",
        "Құрылғының зауыт нөмірі",
        "Сертификат",
        "Тексеру (нөмірі, күні, мерзімі)",
        "Шешім қабылдаған қызметкер",
    ),
    terms=(
        "Нұсқама табыс етілген күннен кейін {discount} {day} ішінде айыппұлдың {percent} %-ын "
        "төлеуге болады (ӘҚБтК 811-бап).",
        "Төленбесе, іс табыс етілгеннен кейін {considered} {day} өткенде қаралған болып есептеледі "
        "(817-бап).",
        "Одан кейінгі {appeal} {day} ішінде жоғары тұрған органға немесе сотқа шағымдануға болады "
        "(826-2, 829-4-баптар).",
        "Күшіне енген күннен бастап {voluntary} {day} ішінде ерікті түрде төленеді (893-бап).",
        "Көлікті өзге адам жүргізсе немесе ол заңсыз иеліктен шықса, меншік иесі босатылады "
        "(31-баптың 3-бөлігі).",
    ),
    full="Айыппұл сомасы",
    discounted="Жеңілдетілген сома ({percent} %)",
    last_day="{percent} % төлеудің соңғы күні: нұсқама табыс етілген күннен кейінгі "
    "{discount}-{day}, сағат 24:00-ге дейін",
    days={
        DayCount.WORKING: DayWords("жұмыс күні", "жұмыс күні"),
        DayCount.CALENDAR: DayWords("күнтізбелік күн", "күнтізбелік күн"),
    },
    evidence="Дәлелдемелердің SHA-256 қосындылары",
    speed="{} км/сағ",
    limit="рұқсат етілгені {} км/сағ",
    over="қателік шегерілгендегі асыру {} км/сағ",
    phases={"RED": "қызыл сигнал", "YELLOW": "сары сигнал", "GREEN": "жасыл сигнал"},
    seconds="{} с",
    past_stop_line="тоқтау сызығынан кейін",
    before_stop_line="тоқтау сызығына дейін",
    assumed="СЫНАҚ ҚҰЖАТЫ. {years} жылдың есептік көрсеткіші немесе жұмыс күндері заңмен әлі "
    "белгіленбеген және шартты түрде алынған. Құжаттың заңдық күші жоқ, төлеу қажет емес.",
)
RU = Words(
    language="ru",
    title="Предписание о необходимости уплаты штрафа",
    labels=(
        "Орган, выдавший предписание",
        "Адрес органа",
        "Собственник транспортного средства",
        "ИИН/БИН",
        "Дата рождения",
        "Адрес",
        "Транспортное средство",
        "Государственный регистрационный номер",
        "Дата и время (Алматы)",
        "Место",
        "Существо правонарушения",
        "Статья КоАП",
        "Зафиксированные показания",
        "Прибор",
        "Заводской номер прибора",
        "Сертификат",
        "Поверка (номер, дата, срок)",
        "Сотрудник, принявший решение",
    ),
    terms=(
        "{percent} % штрафа можно уплатить в течение {discount} {day} после надлежащей доставки "
        "предписания (ст. 811 КоАП).",
        "Если штраф не уплачен, дело считается рассмотренным по истечении {considered} {day} после "
        "доставки (ст. 817).",
        "В течение следующих {appeal} {day} предписание можно обжаловать в вышестоящий орган или "
        "в суд (ст. 826-2, 829-4).",
        "Срок добровольной уплаты: {voluntary} {day} со дня вступления в силу (ст. 893).",
        "Собственник освобождается, если транспортом владело другое лицо или он выбыл из владения "
        "неправомерно (ч. 3 ст. 31).",
    ),
    full="Сумма штрафа",
    discounted="Сокращённая сумма ({percent} %)",
    last_day="Последний день уплаты {percent} %: {discount}-й {day} после дня доставки "
    "предписания, до 24:00",
    days={
        DayCount.WORKING: DayWords("рабочих дней", "рабочий день"),
        DayCount.CALENDAR: DayWords("календарных дней", "календарный день"),
    },
    evidence="Суммы SHA-256 доказательств",
    speed="{} км/ч",
    limit="разрешено {} км/ч",
    over="превышение за вычетом погрешности {} км/ч",
    phases={"RED": "красный сигнал", "YELLOW": "жёлтый сигнал", "GREEN": "зелёный сигнал"},
    seconds="{} с",
    past_stop_line="за стоп-линией",
    before_stop_line="до стоп-линии",
    assumed="ПРОБНЫЙ ДОКУМЕНТ. Расчётный показатель или рабочие дни на {years} год законом ещё не "
    "установлены и приняты условно. Документ не имеет юридической силы, платить не нужно.",
)

CANCELLED_KK = "№ {number} айыппұл жойылды. Төлеудің қажеті жоқ."
CANCELLED_RU = "Штраф № {number} отменён. Платить не нужно."
REFUNDED_KK = (
    "№ {number} айыппұл жойылды. Төленген {amount} қайтарылады: «{bank}» оны {value_date} күнгі "
    "төлем (банктегі нөмірі {bank_reference}) жасалған шотқа аударады. Қайтару {refunded_on} күні "
    "ресімделді, оның нөмірі {refund_id}."
)
REFUNDED_RU = (
    "Штраф № {number} отменён. Уплаченные {amount} возвращаются: «{bank}» зачислит их на счёт, с "
    "которого поступила оплата от {value_date} (номер в банке {bank_reference}). Возврат оформлен "
    "{refunded_on}, его номер {refund_id}."
)


def readings(particulars: Particulars, words: Words) -> str:
    """Return the device's readings as text: speed, traffic light and stop line, or a dash if
    there are none."""
    measured = (
        _speed(particulars, words),
        _signal(particulars, words),
        _stop_line(particulars, words),
    )
    return "; ".join(part for part in measured if part) or NOTHING


def _speed(particulars: Particulars, words: Words) -> str:
    numbers = (
        (words.speed, particulars.speed_kmh),
        (words.limit, particulars.speed_limit_kmh),
        (words.over, particulars.over_kmh),
    )
    if particulars.speed_kmh is None:
        return ""
    return ", ".join(text.format(_number(value)) for text, value in numbers if value is not None)


def _signal(particulars: Particulars, words: Words) -> str:
    if not particulars.signal_phase:
        return ""
    age = particulars.signal_age_seconds
    shown = words.phases[particulars.signal_phase]
    return shown if age is None else f"{shown}, {words.seconds.format(_number(age))}"


def _stop_line(particulars: Particulars, words: Words) -> str:
    if particulars.past_stop_line is None:
        return ""
    return words.past_stop_line if particulars.past_stop_line else words.before_stop_line


def _number(value: float) -> str:
    return f"{value:g}".replace(".", ",")
