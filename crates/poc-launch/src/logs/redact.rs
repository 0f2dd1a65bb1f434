//! Session tokens do not belong on a screen.

use std::borrow::Cow;

/// What stands in a token's place.
const REDACTED: &str = "<redacted>";
/// A token is a UUID or longer; shorter words after "token" are words.
const SHORTEST: usize = 16;

/// Replaces session tokens in a log line. Up to line 2.7 NVFlare logs them when a client registers
/// (`Token:…`, `Sent token: …`), and in some errors still.
///
/// ```
/// use poc_launch::logs::redact;
/// let line = "Client: New client site-1@10.0.0.2 joined. Sent token: 0b2cbb96-8d5b-4ba9-a0a6-b2f8f9e3c1d7.  Total clients: 1";
/// assert_eq!(redact(line), "Client: New client site-1@10.0.0.2 joined. Sent token: <redacted>.  Total clients: 1");
/// assert_eq!(redact("joined. Sent token.  Total clients: 1"), "joined. Sent token.  Total clients: 1");
/// ```
pub fn redact(line: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut from = 0;
    while let Some(at) = find_word(line, from) {
        from = at;
        if let Some((start, end)) = value(line, at) {
            out.push_str(&line[copied..start]);
            out.push_str(REDACTED);
            copied = end;
            from = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(line);
    }
    out.push_str(&line[copied..]);
    Cow::Owned(out)
}

/// The end of the next `token`, in whatever case, that ends a word.
fn find_word(line: &str, from: usize) -> Option<usize> {
    const WORD: &[u8] = b"token";
    let bytes = line.as_bytes();
    (from..bytes.len().saturating_sub(WORD.len() - 1))
        .find(|&at| {
            let end = at + WORD.len();
            bytes[at..end].eq_ignore_ascii_case(WORD)
                && !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric)
        })
        .map(|at| at + WORD.len())
}

/// The token that follows, as its first byte and the one after its last.
fn value(line: &str, after: usize) -> Option<(usize, usize)> {
    let rest = &line[after..];
    let start = rest.find(|c: char| !matches!(c, ':' | '=' | ' ' | '"' | '\'' | '(' | '['))?;
    let is_part =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '+' | '=');
    let length = rest[start..]
        .find(|c| !is_part(c))
        .unwrap_or(rest.len() - start);
    let word = rest[start..start + length].trim_end_matches(['.', ':']);
    // What follows at once, as in `token_verifier`, or has no digit, is prose.
    let is_secret =
        start > 0 && word.len() >= SHORTEST && word.bytes().any(|byte| byte.is_ascii_digit());
    is_secret.then_some((after + start, after + start + word.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUID: &str = "0b2cbb96-8d5b-4ba9-a0a6-b2f8f9e3c1d7";

    #[test]
    fn every_form_that_nvflare_logs() {
        for form in [
            "Successfully registered client:site-1 for project p. Token:# SSID:ebc6125d",
            "Client: New client site-1@127.0.0.1 joined. Sent token: #.  Total clients: 1",
            "Client token: # has been removed from the server.",
            "Failed to re-activate the client:site-1 with token: #. Client already exist with token: #.",
            "Successfully authenticated to server: token='#' ssid='x'",
            "exception verifying token: client_name='site-1' token='#': boom",
            "remove_client: unknown token #",
            "Client site-1 disabled. Removed active token=[\"#\"]",
            "TOKEN = #",
        ] {
            assert_eq!(
                redact(&form.replace('#', UUID)),
                form.replace('#', REDACTED)
            );
        }
    }

    #[test]
    fn prose_stays() {
        for line in [
            "Verified received token and signature successfully",
            "expect token_verifier to be TokenVerifier but got <class 'x.y.TokenVerifier2Implementation'>",
            "joined. Sent token.  Total clients: 1",
            "the token",
            "token",
            "token: ",
            "tokens0b2cbb96-8d5b-4ba9-a0a6-b2f8f9e3c1d7",
            "tokenizer=bert-base-uncased-model-12345678",
            "",
        ] {
            assert!(matches!(redact(line), Cow::Borrowed(_)), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_token_survives(before in ".{0,20}", after in "[ .,;)é].{0,20}", separator in "(:|=|: | = |='|: \")") {
            let line = format!("{before} token{separator}{UUID}{after}");
            prop_assert!(!redact(&line).contains(UUID));
        }

        #[test]
        fn no_line_is_too_odd(line in "(token|Token:|[a-z0-9:= .é]){0,40}") {
            let once = redact(&line).into_owned();
            prop_assert_eq!(redact(&once).into_owned(), once);
        }
    }
}
