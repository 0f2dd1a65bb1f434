//! JSON as NVFlare's loader takes it.

use std::fmt::Write as _;

use serde::Serialize;

use crate::Error;

/// Indented JSON of ASCII characters alone: NVFlare decodes its role files as ASCII and fails on
/// anything else, so what is beyond is written as `\u` escapes.
pub(crate) fn to_ascii<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    let text = serde_json::to_string_pretty(value)?;
    let mut escaped = String::with_capacity(text.len() + 1);
    // Outside of strings JSON is ASCII anyway, so this touches nothing but what strings hold.
    for character in text.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped.push('\n');
    Ok(escaped.into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn beyond_ascii_is_escaped() {
        let text = to_ascii(&"é\u{1F600}\u{7f}").unwrap();
        assert_eq!(text, b"\"\\u00e9\\ud83d\\ude00\x7f\"\n");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_pure_ascii(text: String) {
            let written = to_ascii(&text).unwrap();
            prop_assert!(written.is_ascii());
            prop_assert_eq!(serde_json::from_slice::<String>(&written).unwrap(), text);
        }
    }
}
