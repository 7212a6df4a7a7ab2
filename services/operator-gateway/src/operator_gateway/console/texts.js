// Labels in Kazakh, Russian and English, and how dates and sums are written.

const KEPT = "tartip.language";
const known = ["kk", "ru", "en"];
const wished = (navigator.languages ?? []).map((name) => name.slice(0, 2)).find((name) => known.includes(name));
let chosen = localStorage.getItem(KEPT) ?? wished ?? "kk";

// name: [kk, ru, en]
const TEXTS = {
  "tab.violations": ["Бұзушылықтар", "Нарушения", "Violations"],
  "tab.reports": ["Өтініштер", "Обращения", "Reports"],
  "tab.fines": ["Айыппұлдар", "Штрафы", "Fines"],
  "tab.cameras": ["Камералар", "Камеры", "Cameras"],
  "tab.live": ["Тікелей арна", "Прямая лента", "Live feed"],
  "sign.title": ["Жүйеге кіру", "Вход", "Sign in"],
  "sign.operator": ["Оператор", "Оператор", "Operator"],
  "sign.in": ["Кіру", "Войти", "Sign in"],
  "sign.out": ["Шығу", "Выйти", "Sign out"],
  "sign.development": ["Әзірлеу ортасы: құпиясөз сұралмайды.", "Среда разработки: пароль не спрашивается.", "Development run: no password is asked."],
  "sign.token": ["Қол жеткізу токені", "Токен доступа", "Access token"],
  "sign.elsewhere": ["Ұйымыңыздың кіру қызметінен алынған токенді енгізіңіз.", "Вставьте токен, полученный от службы входа вашей организации.", "Paste the token that your organisation's sign-in service gave you."],
  "sign.again": ["Сессия аяқталды. Қайта кіріңіз.", "Сеанс завершён. Войдите снова.", "Your session has ended. Sign in again."],
  "loading": ["Жүктелуде…", "Загрузка…", "Loading…"],
  "retry": ["Қайталау", "Повторить", "Try again"],
  "refresh": ["Жаңарту", "Обновить", "Refresh"],
  "more": ["Тағы көрсету", "Показать ещё", "Show more"],
  "cancel": ["Болдырмау", "Отмена", "Cancel"],
  "send": ["Жіберу", "Отправить", "Send"],
  "away": ["Шлюз жауап бермейді. Байланысты тексеріңіз.", "Шлюз не отвечает. Проверьте связь.", "The gateway does not answer. Check the connection."],
  "pick": ["Тізімнен таңдаңыз.", "Выберите из списка.", "Choose one from the list."],
  "queue.paused": ["Нөмірлер сенімсіз оқылуда, жаңа істер күтуде:", "Номера читаются ненадёжно, новые дела ждут с", "Plates are not read for sure, new cases wait since"],
  "caution.READ_WHILE_DEGRADED": ["Нөмірлер сенімсіз оқылған кезде жазылды: суретпен салыстырыңыз", "Записано, когда номера читались ненадёжно: сверьте со снимком", "Recorded while plates were not read for sure: compare with the picture"],
  "queue.empty": ["Кезек бос. Бәрі шешілген.", "Очередь пуста. Всё решено.", "The queue is empty. All is decided."],
  "reports.empty": ["Ашық өтініш жоқ.", "Открытых обращений нет.", "No open reports."],
  "fines.empty": ["Мұндай айыппұл жоқ.", "Таких штрафов нет.", "No such fines."],
  "cameras.empty": ["Бірде-бір камера тіркелмеген.", "Камеры ещё не зарегистрированы.", "No camera is registered yet."],
  "live.empty": ["Жаңалық күтілуде…", "Ждём событий…", "Waiting for news…"],
  "live.on": ["қосылған", "на связи", "connected"],
  "live.off": ["қайта қосылуда…", "переподключение…", "reconnecting…"],
  "live.missed": ["Жіберіп алынды", "Пропущено", "Missed"],
  "live.gap": ["Бір бөлігі жіберіп алынды: тізімдерді жаңартыңыз.", "Часть пропущена: обновите списки.", "Some news were missed: refresh the lists."],
  "key.choose": ["Қолтаңба кілтін таңдау", "Выбрать ключ подписи", "Choose signing key"],
  "key.ready": ["Кілт дайын", "Ключ готов", "Key ready"],
  "key.needed": ["Алдымен қолтаңба кілтін таңдаңыз (.key және .pem).", "Сначала выберите ключ подписи (.key и .pem).", "Choose your signing key first (.key and .pem)."],
  "key.wrong": ["Кілт пен сертификатты бірге таңдаңыз (PEM, P-256).", "Выберите вместе ключ и сертификат (PEM, P-256).", "Choose key and certificate together (PEM, P-256)."],
  "key.stays": ["Кілт браузерден шықпайды.", "Ключ не покидает браузер.", "The key never leaves this browser."],
  "confirm": ["Растау", "Подтвердить", "Confirm"],
  "reject": ["Қабылдамау", "Отклонить", "Reject"],
  "reason": ["Себебі", "Причина", "Reason"],
  "confirmed": ["Расталды", "Подтверждено", "Confirmed"],
  "rejected": ["Қабылданбады", "Отклонено", "Rejected"],
  "move": ["жылжу", "листать", "move"],
  "plate": ["Нөмір", "Номер", "Plate"],
  "confidence": ["ең әлсіз таңба", "слабейший знак", "weakest character"],
  "rule": ["Бап", "Статья", "Article"],
  "rules": ["Ережелер нұсқасы", "Версия правил", "Rules version"],
  "when": ["Уақыты", "Время", "Time"],
  "where": ["Орны", "Место", "Place"],
  "camera": ["Камера", "Камера", "Camera"],
  "speed": ["Жылдамдық", "Скорость", "Speed"],
  "limit": ["шек", "предел", "limit"],
  "over": ["Асыру", "Превышение", "Over the limit"],
  "signal": ["Бағдаршам", "Светофор", "Signal"],
  "device": ["Құрылғы", "Прибор", "Device"],
  "verification": ["Салыстырып тексеру", "Поверка", "Verification"],
  "source": ["Көзі", "Источник", "Source"],
  "source.device": ["құрылғы", "прибор", "device"],
  "source.citizen": ["азамат", "гражданин", "citizen"],
  "evidence.none": ["Сурет жоқ.", "Снимка нет.", "No picture."],
  "story": ["Із (trace)", "След (trace)", "Trace"],
  "hold": ["Автоматты түрде растауға болмайды", "Автоматически подтвердить нельзя", "May not be confirmed automatically"],
  "due": ["Мерзімі", "Срок", "Due"],
  "due.in": ["қалды:", "осталось", "left:"],
  "due.over": ["мерзімі өтті:", "просрочено на", "overdue by"],
  "number": ["Нөмірі", "Номер", "Number"],
  "category": ["Санаты", "Категория", "Category"],
  "status": ["Күйі", "Состояние", "Status"],
  "unit": ["Бөлімше", "Подразделение", "Unit"],
  "reporter": ["Өтініш беруші", "Заявитель", "Reporter"],
  "anonymous": ["көрсетілмеген", "не указан", "not shown"],
  "text": ["Мәтіні", "Текст", "Text"],
  "take": ["Жұмысқа алу", "Взять в работу", "Take"],
  "ask": ["Сұрау", "Спросить", "Ask"],
  "answer": ["Жауап беру", "Ответить", "Answer"],
  "route": ["Бағыттау", "Направить", "Route"],
  "accept": ["Дәлелді қабылдау", "Принять доказательство", "Accept evidence"],
  "red_light": ["Қызыл жарық", "Красный свет", "Red light"],
  "offence": ["Бұзушылық коды", "Код нарушения", "Offence code"],
  "done": ["Орындалды", "Готово", "Done"],
  "steps": ["Қадамдар", "Шаги", "Steps"],
  "overdue.only": ["Тек мерзімі өткендер", "Только просроченные", "Overdue only"],
  "all": ["Барлығы", "Все", "All"],
  "amount": ["Сома", "Сумма", "Amount"],
  "discount": ["Жеңілдікпен", "Со скидкой", "With discount"],
  "discount.until": ["Жеңілдік мерзімі", "Скидка до", "Discount until"],
  "appeal.until": ["Шағым мерзімі", "Обжалование до", "Appeal until"],
  "pay.until": ["Төлеу мерзімі", "Оплата до", "Pay until"],
  "owner": ["Иесі", "Владелец", "Owner"],
  "issued": ["Шығарылды", "Вынесен", "Issued"],
  "find": ["Табу", "Найти", "Find"],
  "registered": ["Тіркелген", "Зарегистрировано", "Registered"],
  "connected": ["Қосылған", "Подключено", "Connected"],
  "with_ai": ["ЖИ бар", "С ИИ", "With AI"],
  "online": ["Желіде", "В сети", "Online"],
  "region": ["Өңір", "Регион", "Region"],
  "event": ["Оқиға", "Событие", "Event"],
  "id": ["Белгісі", "Идентификатор", "Id"],
  "state.review": ["тексеруде", "на проверке", "in review"],
  "state.confirmed": ["расталған", "подтверждено", "confirmed"],
  "state.rejected": ["қабылданбаған", "отклонено", "rejected"],
  "state.annulled": ["күші жойылған", "аннулировано", "annulled"],
  "state.issued": ["шығарылған", "вынесен", "issued"],
  "state.delivered": ["тапсырылған", "вручён", "delivered"],
  "state.paid": ["төленген", "оплачен", "paid"],
  "state.cancelled": ["күші жойылған", "отменён", "cancelled"],
  "state.appealed": ["шағымданған", "обжалуется", "appealed"],
  "state.in_force": ["күшіне енген", "вступил в силу", "in force"],
  "state.overdue": ["мерзімі өткен", "просрочен", "overdue"],
  "state.open": ["ашылған", "открыто", "open"],
  "state.registered": ["тіркелген", "зарегистрировано", "registered"],
  "state.routed": ["бағытталған", "направлено", "routed"],
  "state.in_work": ["жұмыста", "в работе", "in work"],
  "state.waits_for_reporter": ["жауап күтілуде", "ждёт заявителя", "waits for reporter"],
  "state.answered": ["жауап берілген", "отвечено", "answered"],
  "state.disputed": ["даулы", "оспорено", "disputed"],
  "state.closed": ["жабылған", "закрыто", "closed"],
  "category.road_accident": ["Жол апаты", "ДТП", "Road accident"],
  "category.traffic_violation": ["Жол ережесін бұзу", "Нарушение ПДД", "Traffic violation"],
  "category.domestic_violence": ["Тұрмыстық зорлық", "Бытовое насилие", "Domestic violence"],
  "category.incident": ["Оқиға", "Происшествие", "Incident"],
  "category.incident_with_child": ["Баламен болған оқиға", "Происшествие с ребёнком", "Incident with a child"],
  "category.complaint_about_officer": ["Қызметкерге шағым", "Жалоба на сотрудника", "Complaint about an officer"],
  "category.other": ["Басқа", "Другое", "Other"],
  "kmh": ["км/сағ", "км/ч", "km/h"],
  "live.cameras.v1.registered": ["Камера тіркелді", "Камера зарегистрирована", "Camera registered"],
  "live.cameras.v1.changed": ["Камера өзгертілді", "Камера изменена", "Camera changed"],
  "live.cameras.v1.retired": ["Камера шығарылды", "Камера выведена", "Camera retired"],
  "live.cameras.v1.status_changed": ["Камера күйі өзгерді", "Состояние камеры", "Camera status changed"],
  "live.violations.v1.detected": ["Бұзушылық анықталды", "Нарушение выявлено", "Violation detected"],
  "live.violations.v1.confirmed": ["Бұзушылық расталды", "Нарушение подтверждено", "Violation confirmed"],
  "live.violations.v1.rejected": ["Бұзушылық қабылданбады", "Нарушение отклонено", "Violation rejected"],
  "live.violations.v1.annulled": ["Бұзушылық жойылды", "Нарушение аннулировано", "Violation annulled"],
  "live.fines.v1.issued": ["Айыппұл шығарылды", "Штраф вынесен", "Fine issued"],
  "live.fines.v1.delivered": ["Айыппұл тапсырылды", "Штраф вручён", "Fine delivered"],
  "live.fines.v1.paid": ["Айыппұл төленді", "Штраф оплачен", "Fine paid"],
  "live.fines.v1.refunded": ["Төлем қайтарылды", "Платёж возвращён", "Fine refunded"],
  "live.fines.v1.appealed": ["Айыппұлға шағым", "Штраф обжалуется", "Fine appealed"],
  "live.fines.v1.cancelled": ["Айыппұл жойылды", "Штраф отменён", "Fine cancelled"],
  "live.fines.v1.in_force": ["Айыппұл күшіне енді", "Штраф вступил в силу", "Fine in force"],
  "live.fines.v1.overdue": ["Айыппұл мерзімі өтті", "Штраф просрочен", "Fine overdue"],
  "live.reports.v1.received": ["Өтініш түсті", "Обращение поступило", "Report received"],
  "live.reports.v1.routed": ["Өтініш бағытталды", "Обращение направлено", "Report routed"],
  "live.reports.v1.status_changed": ["Өтініш күйі өзгерді", "Состояние обращения", "Report status changed"],
  "live.reports.v1.overdue": ["Өтініш мерзімі өтті", "Обращение просрочено", "Report overdue"],
  "live.reports.v1.traffic_evidence_accepted": ["Дәлел қабылданды", "Доказательство принято", "Evidence accepted"],
  "phase.red": ["қызыл", "красный", "red"],
  "phase.yellow": ["сары", "жёлтый", "yellow"],
  "phase.green": ["жасыл", "зелёный", "green"],
};

export const language = () => chosen;
export function chooseLanguage(name) {
  chosen = name;
  localStorage.setItem(KEPT, name);
}

// A name that has no label stands for itself: a code newer than this page is still shown.
export const t = (name) => TEXTS[name]?.[known.indexOf(chosen)] ?? name.slice(name.indexOf(".") + 1);

// Kazakh figures are written as Russian ones; many browsers know no Kazakh and would show "M11".
const LOCALES = { kk: "ru-KZ", ru: "ru-KZ", en: "en-GB" };
export const moment = (text) => text ? new Intl.DateTimeFormat(LOCALES[chosen], {
  day: "2-digit", month: "2-digit", year: "numeric", hour: "2-digit", minute: "2-digit",
  timeZone: "Asia/Almaty",
}).format(new Date(text)) : "";
export const clock = (text) => new Intl.DateTimeFormat(LOCALES[chosen], {
  timeStyle: "medium", timeZone: "Asia/Almaty",
}).format(new Date(text));
export const count = (number) => new Intl.NumberFormat(LOCALES[chosen]).format(number);
export const sum = (money) => money ? new Intl.NumberFormat(LOCALES[chosen], {
  style: "currency", currency: money.currency || "KZT", currencyDisplay: "narrowSymbol",
  maximumFractionDigits: money.amount_minor % 100 ? 2 : 0,
}).format(money.amount_minor / 100) : "";

// "2 d 3 h" of a span in milliseconds, two units at most.
export function span(milliseconds) {
  const minutes = Math.floor(Math.abs(milliseconds) / 60_000);
  const units = { kk: ["күн", "сағ", "мин"], ru: ["дн", "ч", "мин"], en: ["d", "h", "min"] }[chosen];
  const parts = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
  const first = parts.findIndex((part) => part > 0);
  if (first < 0) return `0 ${units[2]}`;
  return parts.slice(first, first + 2).map((part, at) => `${part} ${units[first + at]}`).join(" ");
}
