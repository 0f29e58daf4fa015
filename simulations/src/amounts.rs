//! Amounts as people read them: times, bytes and counts in few digits.

/// A time in microseconds: `850 µs`, `12 ms`, `3.4 s`, `2 min 5 s`.
pub fn time(us: f64) -> String {
    let seconds = us / 1e6;
    if us < 1_000.0 {
        format!("{} µs", digits(us))
    } else if us < 999_500.0 {
        format!("{} ms", digits(us / 1_000.0))
    } else if seconds < 99.5 {
        format!("{} s", digits(seconds))
    } else if seconds < 7_200.0 {
        let whole = seconds.round() as u64;
        match whole % 60 {
            0 => format!("{} min", whole / 60),
            rest => format!("{} min {rest} s", whole / 60),
        }
    } else if seconds < 172_800.0 {
        format!("{} h", digits(seconds / 3_600.0))
    } else {
        format!("{} d", digits(seconds / 86_400.0))
    }
}

/// Bytes in binary multiples: `512 B`, `1.5 KiB`, `2.0 GiB`.
pub fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes;
    let mut unit = 0;
    while amount >= 1_023.5 && unit + 1 < UNITS.len() {
        amount /= 1_024.0;
        unit += 1;
    }
    format!("{} {}", digits(amount), UNITS[unit])
}

/// A count: `950`, `12.5k`, `3.1M`, `2G`.
pub fn count(count: f64) -> String {
    let (amount, unit) = match count.abs() {
        amount if amount < 9_999.5 => (count, ""),
        amount if amount < 999_500.0 => (count / 1e3, "k"),
        amount if amount < 999_500_000.0 => (count / 1e6, "M"),
        _ => (count / 1e9, "G"),
    };
    format!("{}{unit}", digits(amount))
}

/// Three significant digits, without zeros that say nothing.
pub fn digits(amount: f64) -> String {
    let size = amount.abs();
    let decimals = match size {
        _ if size >= 99.95 || size == 0.0 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ => (2 - size.log10().floor() as i32).clamp(2, 9) as usize,
    };
    let text = format!("{amount:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// `one` with its number, or with an `s`: `1 node`, `3 nodes`.
pub fn plural(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let told = [0.0, 850.0, 12_340.0, 999_600.0, 3_456_789.0, 125e6, 9e9].map(time);
        let wanted = [
            "0 µs",
            "850 µs",
            "12.3 ms",
            "1 s",
            "3.46 s",
            "2 min 5 s",
            "2.5 h",
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn bytes_and_counts_have_three_digits() {
        assert_eq!(
            [512.0, 1_536.0, 3.2e9].map(bytes),
            ["512 B", "1.5 KiB", "2.98 GiB"]
        );
        assert_eq!(
            [950.0, 9_999.0, 12_500.0, 3.14e6].map(count),
            ["950", "9999", "12.5k", "3.14M"]
        );
        assert_eq!(
            [0.000_123, 0.05, 1.0, 100.4].map(digits),
            ["0.000123", "0.05", "1", "100"]
        );
    }
}
