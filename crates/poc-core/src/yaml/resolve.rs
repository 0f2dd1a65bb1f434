//! What a scalar without quotes means to PyYAML (`yaml/resolver.py`, `yaml/constructor.py`: the types
//! of YAML 1.1).

use super::Value;

/// The meaning of a scalar without quotes.
pub(super) fn resolve(raw: &str) -> Value {
    match raw {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    if let Some(number) = integer(raw) {
        return Value::Int(number);
    }
    float(raw).map_or_else(|| Value::Text(raw.to_owned()), Value::Float)
}

/// Whether YAML 1.1 and 1.2 may disagree about it, or about a float or an integer that it is in 1.2.
pub(super) fn is_ambiguous(raw: &str) -> bool {
    !matches!(resolve(raw), Value::Text(_))
}

fn sign(raw: &str) -> (i64, &str) {
    match raw.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, raw.strip_prefix('+').unwrap_or(raw)),
    }
}

/// A whole number in base 2, 8, 10, 16 or 60. One that does not fit 64 bits is none here; nothing in
/// project.yml is that large.
fn integer(raw: &str) -> Option<i64> {
    let (sign, digits) = sign(raw);
    let (first, rest) = (digits.chars().next()?, digits.get(1..).unwrap_or(""));
    if !first.is_ascii_digit() {
        return None;
    }
    let radix = |digits: &str, radix| {
        let digits = digits.replace('_', "");
        i64::from_str_radix(&digits, radix).ok()
    };
    let only = |digits: &str, allowed: fn(char) -> bool| {
        !digits.is_empty() && digits.chars().all(|c| c == '_' || allowed(c))
    };
    let number = if let Some(bits) = digits.strip_prefix("0b") {
        only(bits, |c| matches!(c, '0' | '1')).then(|| radix(bits, 2))?
    } else if let Some(hex) = digits.strip_prefix("0x") {
        only(hex, |c| c.is_ascii_hexdigit()).then(|| radix(hex, 16))?
    } else if digits.contains(':') {
        sexagesimal(digits).filter(|_| first != '0')
    } else if first == '0' && !rest.is_empty() {
        only(rest, |c| matches!(c, '0'..='7')).then(|| radix(digits, 8))?
    } else {
        only(digits, |c| c.is_ascii_digit()).then(|| radix(digits, 10))?
    };
    Some(sign * number?)
}

/// `190:20:30`: base 60, each part but the first below 60.
fn sexagesimal(digits: &str) -> Option<i64> {
    let mut total = 0_i64;
    for (index, part) in digits.split(':').enumerate() {
        let number: i64 = part.replace('_', "").parse().ok()?;
        let in_range = index == 0 || part.len() <= 2 && number < 60 && !part.contains('_');
        if !in_range || part.starts_with(['+', '-']) {
            return None;
        }
        total = total.checked_mul(60)?.checked_add(number)?;
    }
    Some(total)
}

/// A number with a point; the exponent, if any, has a sign.
#[expect(
    clippy::cast_precision_loss,
    reason = "PyYAML makes the same float of it"
)]
fn float(raw: &str) -> Option<f64> {
    let (sign, digits) = sign(raw);
    match digits {
        ".inf" | ".Inf" | ".INF" => {
            return Some(if sign < 0 {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            });
        }
        ".nan" | ".NaN" | ".NAN" if digits.len() == raw.len() => return Some(f64::NAN),
        _ => {}
    }
    if !digits
        .strip_prefix('.')
        .unwrap_or(digits)
        .starts_with(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let plain = digits.replace('_', "");
    let (mantissa, exponent) = plain
        .split_once(['e', 'E'])
        .map_or((plain.as_str(), None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.')?;
    let all_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if let Some((minutes, seconds)) = whole.rsplit_once(':') {
        // `190:20:30.15`
        let minutes = sexagesimal(minutes)?;
        let seconds: f64 = (all_digits(seconds)
            && all_digits(fraction)
            && exponent.is_none()
            && seconds.len() <= 2)
            .then(|| format!("{seconds}.{fraction}0").parse().ok())??;
        return (seconds < 60.0).then_some(sign as f64 * (minutes as f64).mul_add(60.0, seconds));
    }
    let exponent_ok = exponent.is_none_or(|exponent| {
        exponent.starts_with(['+', '-']) && exponent.len() > 1 && all_digits(&exponent[1..])
    });
    // A point alone is no number, and before the point comes a digit unless one follows.
    let digits_ok =
        all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    if !exponent_ok || !digits_ok {
        return None;
    }
    let text = format!(
        "{}{whole}.{fraction}0e{}",
        if sign < 0 { "-" } else { "" },
        exponent.unwrap_or("0")
    );
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_they_mean_to_pyyaml() {
        for (raw, expected) in [
            ("yes", Value::Bool(true)),
            ("NO", Value::Bool(false)),
            ("Off", Value::Bool(false)),
            ("y", Value::from("y")),
            ("nO", Value::from("nO")),
            ("~", Value::Null),
            ("", Value::Null),
            ("nUll", Value::from("nUll")),
            ("12", Value::Int(12)),
            ("-12", Value::Int(-12)),
            ("+1_000", Value::Int(1000)),
            ("010", Value::Int(8)),
            ("08", Value::from("08")),
            ("0", Value::Int(0)),
            ("0o17", Value::from("0o17")),
            ("0x1F", Value::Int(31)),
            ("0b101", Value::Int(5)),
            ("0b", Value::from("0b")),
            ("12:30", Value::Int(750)),
            ("190:20:30", Value::Int(685_230)),
            ("12:60", Value::from("12:60")),
            ("server:8002:8003", Value::from("server:8002:8003")),
            ("127.0.0.1", Value::from("127.0.0.1")),
            ("1.5", Value::Float(1.5)),
            (".5", Value::Float(0.5)),
            ("1.", Value::Float(1.0)),
            (".", Value::from(".")),
            ("1e3", Value::from("1e3")),
            ("1.5e3", Value::from("1.5e3")),
            ("1.5e+3", Value::Float(1500.0)),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
            ("190:20:30.15", Value::Float(685_230.15)),
            ("2.9.0", Value::from("2.9.0")),
            ("site-1", Value::from("site-1")),
            ("99999999999999999999", Value::from("99999999999999999999")),
            ("1_0:2", Value::Int(602)),
            ("01:30", Value::from("01:30")),
            ("12:3_", Value::from("12:3_")),
            ("0_", Value::Int(0)),
            ("0_7", Value::Int(7)),
            ("0_8", Value::from("0_8")),
            ("-0x1", Value::Int(-1)),
            ("1_.5", Value::Float(1.5)),
            ("._5", Value::from("._5")),
            (".e+1", Value::from(".e+1")),
            ("1.5e+", Value::from("1.5e+")),
            ("12:30.5_", Value::Float(750.5)),
            ("12:30.5e+1", Value::from("12:30.5e+1")),
            ("+.nan", Value::from("+.nan")),
            ("-", Value::from("-")),
            ("2024-01-01", Value::from("2024-01-01")),
        ] {
            assert_eq!(resolve(raw), expected, "{raw}");
        }
    }
}
