CLOCK_MOVED = Trial: the clock is moved, today is { $today }.
TABLE_YEAR_MISSING = A yearly table of the law does not hold this year yet.
YEAR_ASSUMED =
    Trial: the { $table ->
        [calendar] working calendar
       *[base_values] base value (MCI)
    } of { $year } is assumed; what is decided with it is not valid.
YEAR_MISSING =
    The { $table ->
        [calendar] working calendar
       *[base_values] base value (MCI)
    } of { $year } is missing: what needs it is held or refused.
