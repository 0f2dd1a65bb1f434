//! The syntax of config.conf, with the place of everything.
//!
//! HOCON as pyhocon reads it, since NVFlare's own tools read the same file with pyhocon: what it
//! refuses is refused here, so that a file is never called sound that NVFlare cannot read. Values
//! are taken apart but not worked out; that is [`super::evaluate`]'s part.

use std::ops::Range;

use super::quoting::unescape;
use super::tree::{Block, Field, Part, SyntaxError, line_at};

/// Objects within objects, more than any sane file has: keeps the parser's stack small.
const DEEPEST: usize = 64;

/// Takes a whole file apart.
pub(super) fn parse(text: &str) -> Result<Block, SyntaxError> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    parser.skip_separators();
    match parser.peek() {
        Some('[') => Err(parser.error("the file holds a list, where keys are expected")),
        Some('{') => {
            let block = parser.object()?;
            parser.skip_separators();
            match parser.peek() {
                None => Ok(block),
                Some(found) => {
                    Err(parser.error(format!("`{found}` after the closing `}}` of the file")))
                }
            }
        }
        _ => {
            let (fields, includes) = parser.fields()?;
            match parser.peek() {
                None => Ok(Block {
                    inner: 0..text.len(),
                    fields,
                    includes,
                }),
                Some(_) => Err(parser.error("a `}` with no `{` before it")),
            }
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, reason: impl Into<String>) -> SyntaxError {
        self.error_at(self.at, reason)
    }

    fn error_at(&self, offset: usize, reason: impl Into<String>) -> SyntaxError {
        SyntaxError {
            line: line_at(self.text, offset),
            reason: reason.into(),
        }
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) -> Range<usize> {
        let start = self.at;
        self.at += self
            .rest()
            .find(|c| !wanted(c))
            .unwrap_or(self.rest().len());
        start..self.at
    }

    fn at_comment(&self) -> bool {
        self.rest().starts_with('#') || self.rest().starts_with("//")
    }

    fn skip_comment(&mut self) {
        self.skip_while(|c| !is_newline(c));
    }

    /// Blanks, newlines and comments.
    fn skip_space(&mut self) {
        loop {
            self.skip_while(|c| is_blank(c) || is_newline(c));
            if !self.at_comment() {
                return;
            }
            self.skip_comment();
        }
    }

    /// Blanks, newlines, comments and commas.
    fn skip_separators(&mut self) {
        loop {
            self.skip_space();
            if self.skip_while(|c| c == ',').is_empty() {
                return;
            }
        }
    }

    /// `{ … }`, from the opening brace.
    fn object(&mut self) -> Result<Block, SyntaxError> {
        let open = self.at;
        self.deeper()?;
        self.at += 1;
        let (fields, includes) = self.fields()?;
        if self.peek().is_none() {
            return Err(self.error_at(open, "the `{` here is never closed"));
        }
        let inner = open + 1..self.at;
        self.at += 1;
        self.depth -= 1;
        Ok(Block {
            inner,
            fields,
            includes,
        })
    }

    fn deeper(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            Err(self.error("too many objects within objects"))
        } else {
            Ok(())
        }
    }

    /// Fields up to a closing brace (left in place) or the end.
    fn fields(&mut self) -> Result<(Vec<Field>, Vec<usize>), SyntaxError> {
        let mut fields = Vec::new();
        let mut includes = Vec::new();
        loop {
            self.skip_separators();
            match self.peek() {
                None | Some('}') => return Ok((fields, includes)),
                Some(_) if self.at_include() => {
                    includes.push(self.at);
                    self.include()?;
                }
                Some(_) => fields.push(self.field()?),
            }
        }
    }

    /// `include "file"`, `include url("…")`; not a key of that name.
    fn at_include(&self) -> bool {
        let Some(rest) = self
            .rest()
            .get(.."include".len())
            .filter(|word| word.eq_ignore_ascii_case("include"))
        else {
            return false;
        };
        let rest = self.rest()[rest.len()..].trim_start_matches(is_blank);
        ["\"", "url", "file", "package", "required"]
            .iter()
            .any(|next| {
                let Some(after) = rest.strip_prefix(next) else {
                    return false;
                };
                *next == "\"" || after.trim_start_matches(is_blank).starts_with('(')
            })
    }

    /// `include "file"`, `include url("…")`, `include required(file("…"))`, and nothing behind it.
    fn include(&mut self) -> Result<(), SyntaxError> {
        self.at += "include".len();
        let mut open = 0;
        loop {
            self.skip_while(is_blank);
            let word = self.skip_while(|c| c.is_ascii_alphabetic());
            if word.is_empty() {
                break;
            }
            self.skip_while(is_blank);
            self.expect('(')?;
            open += 1;
        }
        match self.peek() {
            Some('"') => drop(self.quoted()?),
            _ => return Err(self.error("a file's name in double quotes is expected here")),
        }
        for _ in 0..open {
            self.skip_while(is_blank);
            self.expect(')')?;
        }
        self.skip_while(is_blank);
        match self.peek() {
            Some(found)
                if !is_newline(found) && !matches!(found, ',' | '}') && !self.at_comment() =>
            {
                Err(self.error(format!("`{}` behind an `include`", visible(found))))
            }
            _ => Ok(()),
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), SyntaxError> {
        if self.peek() == Some(wanted) {
            self.at += wanted.len_utf8();
            Ok(())
        } else {
            Err(self.error(format!("a `{wanted}` is expected here")))
        }
    }

    fn field(&mut self) -> Result<Field, SyntaxError> {
        let (key, key_span) = self.key()?;
        self.skip_space();
        if self.peek() == Some('{') {
            let start = self.at;
            let block = self.object()?;
            let value_span = start..self.at;
            return Ok(Field {
                key,
                key_span,
                append: false,
                value_span,
                parts: vec![Part::Object(block)],
            });
        }
        let append = self.rest().starts_with("+=");
        if !append && !matches!(self.peek(), Some('=' | ':')) {
            let name = &self.text[key_span];
            let reason = match self.peek() {
                Some('"') => format!(
                    "the key `{name}` goes on with a quoted part, which NVFlare does not read; use braces"
                ),
                Some(c) if !is_newline(c) && !matches!(c, '}' | ']' | ',') => {
                    format!(
                        "`{c}` in or after the key `{name}`; a key of such letters needs double quotes"
                    )
                }
                _ => format!("the key `{name}` has no value"),
            };
            return Err(self.error(reason));
        }
        self.at += if append { 2 } else { 1 };
        let separator_end = self.at;
        self.skip_space();
        let (parts, value_span) = self.value()?;
        // Nothing, perhaps on the next line: the place for a value is behind the separator.
        let value_span = if parts.is_empty() {
            separator_end..separator_end
        } else {
            value_span
        };
        Ok(Field {
            key,
            key_span,
            append,
            value_span,
            parts,
        })
    }

    fn key(&mut self) -> Result<(Vec<String>, Range<usize>), SyntaxError> {
        let start = self.at;
        if self.peek() == Some('"') {
            let text = self.quoted()?;
            if text.is_empty() {
                return Err(self.error_at(start, "a key is empty"));
            }
            return Ok((vec![text], start..self.at));
        }
        let raw = self.skip_while(is_key);
        let name = self.text[raw.clone()].trim_end_matches(is_blank);
        let span = start..start + name.len();
        let key: Vec<String> = name
            .split('.')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        if key.is_empty() {
            let reason = match self.peek() {
                Some('\u{feff}') => {
                    "the file begins with a byte order mark, which NVFlare does not read".to_owned()
                }
                Some(found) => format!("`{}` where a key is expected", visible(found)),
                None => "a key is expected".to_owned(),
            };
            return Err(self.error_at(start, reason));
        }
        Ok((key, span))
    }

    /// The parts of a value, up to a newline, a comma, a comment or a closing bracket.
    fn value(&mut self) -> Result<(Vec<Part>, Range<usize>), SyntaxError> {
        let start = self.at;
        let mut end = start;
        let mut parts = Vec::new();
        while let Some(next) = self.peek() {
            if is_newline(next) || matches!(next, ',' | '}' | ']') || self.at_comment() {
                break;
            }
            let (part, part_end) = match next {
                '\\' if self.skip_continuation() => {
                    end = self.at;
                    continue;
                }
                // pyhocon drops the blanks behind a multi-line string.
                '"' if self.rest().starts_with("\"\"\"") => (
                    Part::Quoted {
                        text: self.triple_quoted()?,
                        blanks: String::new(),
                    },
                    self.at,
                ),
                '"' => {
                    let text = self.quoted()?;
                    let end = self.at;
                    let blanks = self.skip_while(is_blank);
                    (
                        Part::Quoted {
                            text,
                            blanks: self.text[blanks].to_owned(),
                        },
                        end,
                    )
                }
                '$' => (self.reference()?, self.at),
                '{' => (Part::Object(self.object()?), self.at),
                '[' => {
                    self.list()?;
                    (Part::List, self.at)
                }
                _ => self.word()?,
            };
            self.check_joint(&parts, &part)?;
            parts.push(part);
            end = part_end;
            self.skip_while(is_blank);
        }
        Ok((parts, start..end))
    }

    /// Text cannot be joined to an object or a list.
    fn check_joint(&self, before: &[Part], part: &Part) -> Result<(), SyntaxError> {
        let class = |part: &Part| match part {
            Part::Quoted { .. } | Part::Word(_) => Some("text"),
            Part::Object(_) => Some("an object"),
            Part::List => Some("a list"),
            Part::Reference { .. } => None,
        };
        match (before.iter().find_map(class), class(part)) {
            (Some(one), Some(other)) if one != other => {
                Err(self.error(format!("{one} and {other} in one value")))
            }
            _ => Ok(()),
        }
    }

    /// A backslash at the end of a line: the value goes on in the next.
    fn skip_continuation(&mut self) -> bool {
        let rest = self.rest()[1..].trim_start_matches(is_blank);
        if !rest.starts_with(is_newline) {
            return false;
        }
        self.at = self.text.len() - rest.len();
        self.skip_while(is_newline);
        self.skip_while(is_blank);
        true
    }

    fn word(&mut self) -> Result<(Part, usize), SyntaxError> {
        let start = self.at;
        while let Some(c) = self.peek() {
            match c {
                '\\' => {
                    let Some(escaped) = self.rest()[1..].chars().next().filter(|c| !is_newline(*c))
                    else {
                        break;
                    };
                    self.at += 1 + escaped.len_utf8();
                }
                '=' | '^' | '`' | '+' | '?' | '!' | '@' | '*' | '&' => {
                    return Err(self.error(format!("a value with `{c}` needs double quotes")));
                }
                '$' if !self.rest().starts_with("${") => {
                    return Err(self.error("a value with `$` needs double quotes"));
                }
                '"' | '[' | '{' | ']' | '}' | '#' | ',' | '$' => break,
                c if c.is_whitespace() => break,
                c => self.at += c.len_utf8(),
            }
        }
        if self.at == start {
            let found = self
                .peek()
                .map(|c| c.escape_debug().to_string())
                .unwrap_or_default();
            return Err(self.error(format!("`{found}` in a value without quotes")));
        }
        let end = self.at;
        self.skip_while(is_blank);
        Ok((Part::Word(unescape(&self.text[start..self.at])), end))
    }

    fn reference(&mut self) -> Result<Part, SyntaxError> {
        let Some(inside) = self.rest().strip_prefix("${") else {
            return Err(self.error("a value with `$` needs double quotes"));
        };
        let Some(length) = inside
            .find(['}', '\n'])
            .filter(|end| inside[*end..].starts_with('}'))
        else {
            return Err(self.error("the `${` here is never closed"));
        };
        let name = &inside[..length];
        let optional = name.starts_with('?');
        let name = name.trim_start_matches('?').trim().to_owned();
        self.at += "${".len() + length + "}".len();
        if name.is_empty() {
            return Err(self.error("`${}` names nothing"));
        }
        let blanks = self.rest()
            [..self.rest().len() - self.rest().trim_start_matches(is_blank).len()]
            .to_owned();
        Ok(Part::Reference {
            name,
            optional,
            blanks,
        })
    }

    fn list(&mut self) -> Result<(), SyntaxError> {
        let open = self.at;
        self.deeper()?;
        self.at += 1;
        loop {
            self.skip_separators();
            match self.peek() {
                None => return Err(self.error_at(open, "the `[` here is never closed")),
                Some(']') => break,
                Some('}') => return Err(self.error("a `}` inside a list")),
                Some(_) => {
                    self.value()?;
                }
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// `"…"`, from the opening quote, on one line.
    fn quoted(&mut self) -> Result<String, SyntaxError> {
        let open = self.at;
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((index, c)) = characters.next() {
            match c {
                '"' => {
                    let text = unescape(&self.rest()[1..index]);
                    self.at += index + 1;
                    return Ok(text);
                }
                '\\' if characters.next().is_some_and(|(_, c)| c != '\n') => {}
                '\n' | '\\' => break,
                _ => {}
            }
        }
        Err(self.error_at(open, "the double quote here is never closed"))
    }

    /// `"""…"""`, over any number of lines; quotes in excess at the end belong to the text.
    fn triple_quoted(&mut self) -> Result<String, SyntaxError> {
        let open = self.at;
        let inside = &self.rest()[3..];
        let Some(length) = inside.find("\"\"\"") else {
            return Err(self.error_at(open, "the three double quotes here are never closed"));
        };
        let excess = inside[length + 3..]
            .chars()
            .take_while(|c| *c == '"')
            .count();
        let text = inside[..length + excess].to_owned();
        self.at += 3 + length + excess + 3;
        Ok(text)
    }
}

/// A letter for a message: as it is, or as a number where it could not be seen.
fn visible(c: char) -> String {
    if c.is_alphanumeric() || c.is_ascii_punctuation() {
        c.to_string()
    } else {
        c.escape_unicode().to_string()
    }
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

const fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

/// pyhocon's letters of a key without quotes: ASCII and Latin-1 letters, digits, `.`, `_`, `-`, `/`
/// and blanks.
fn is_key(c: char) -> bool {
    let latin = matches!(c, 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ÿ');
    c.is_ascii_alphanumeric() || latin || matches!(c, '.' | '_' | '-' | ' ' | '/' | '\t')
}
