//! Numbers, times and lists as people read them.

use std::time::Duration;

/// `1 site`, `2 sites`, `2 processes`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ if noun.ends_with('s') => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}

/// `1 site is`, `2 sites are`.
pub(crate) fn are(number: usize, noun: &str) -> String {
    format!(
        "{} {}",
        count(number, noun),
        if number == 1 { "is" } else { "are" }
    )
}

/// `a`, `a and b`, `a, b and c`; with more than eight, the first ones and how many more.
pub(crate) fn list<S: AsRef<str>>(items: &[S]) -> String {
    const MOST: usize = 8;
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    if items.len() > MOST {
        let shown = MOST - 2;
        return format!(
            "{} and {} more",
            items[..shown].join(", "),
            items.len() - shown
        );
    }
    match items.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A command line at a glance: what comes after its first line or its 100th letter is left out, such as
/// a whole program after `python -c`.
pub(crate) fn command(command: &str) -> String {
    const MOST: usize = 100;
    let line = command.lines().next().unwrap_or_default();
    let shown: String = line.chars().take(MOST).collect();
    if shown.len() < command.len() {
        format!("{} …", shown.trim_end())
    } else {
        shown
    }
}

/// A span of time with its two largest units: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 0 min`, `4 d 3 h`.
pub(crate) fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Seconds as [`duration`]; what is no span of time is `-`.
pub(crate) fn seconds(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| "-".to_owned(), duration)
}

/// A size in binary units: `512 B`, `3.4 MiB`, `120 MiB`, `1.2 GiB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut value = number as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be shown as `1024`.
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 9.95 {
        format!("{value:.1} {}", UNITS[unit])
    } else {
        format!("{value:.0} {}", UNITS[unit])
    }
}

/// The time of day of an RFC 3339 time, or the text as it is.
pub(crate) fn time_of_day(rfc3339: &str) -> &str {
    rfc3339
        .split_once('T')
        .and_then(|(_, time)| time.get(..8))
        .unwrap_or(rfc3339)
}

/// The day of an RFC 3339 time, or the text as it is.
pub(crate) fn day(rfc3339: &str) -> &str {
    rfc3339.split_once('T').map_or(rfc3339, |(day, _)| day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        let many: Vec<String> = (1..=20).map(|n| format!("site-{n}")).collect();
        assert_eq!(
            list(&many),
            "site-1, site-2, site-3, site-4, site-5, site-6 and 14 more"
        );
        assert_eq!(count(1, "site"), "1 site");
        assert_eq!(count(0, "site"), "0 sites");
        assert_eq!(are(2, "process"), "2 processes are");
    }

    #[test]
    fn spans() {
        for (span, text) in [
            (0.04, "0.0 s"),
            (9.94, "9.9 s"),
            (59.9, "59 s"),
            (185.0, "3 min 5 s"),
            (7200.0, "2 h 0 min"),
            (360_000.0, "4 d 4 h"),
        ] {
            assert_eq!(seconds(span), text);
        }
        assert_eq!(seconds(-1.0), "-");
        assert_eq!(seconds(f64::NAN), "-");
    }

    #[test]
    fn sizes() {
        for (number, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (125_829_120, "120 MiB"),
            (1_048_575, "1.0 MiB"),
            (1_288_490_189, "1.2 GiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn parts_of_a_time() {
        assert_eq!(time_of_day("2026-11-24T17:03:09.123Z"), "17:03:09");
        assert_eq!(time_of_day("noon"), "noon");
        assert_eq!(day("2027-11-19T17:03:09Z"), "2027-11-19");
    }
}
