//! What config.conf is made of, with the place of everything: what [`super::syntax`] finds.

use std::ops::Range;

/// What does not parse, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// The line, from 1.
    pub(super) line: usize,
    pub(super) reason: String,
}

/// The inside of an object, or the whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// What lies between the braces; of a file without outer braces, all of it.
    pub(super) inner: Range<usize>,
    pub(super) fields: Vec<Field>,
    /// Where `include` statements begin.
    pub(super) includes: Vec<usize>,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// `a.b = x` has two parts, `"a.b" = x` one.
    pub(super) key: Vec<String>,
    pub(super) key_span: Range<usize>,
    /// `+=`, which appends to what the key had.
    pub(super) append: bool,
    /// Empty, behind the separator, where there is no value.
    pub(super) value_span: Range<usize>,
    pub(super) parts: Vec<Part>,
}

/// A value is a row of these, read as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// In quotes. The blanks behind it count only where another part follows.
    Quoted { text: String, blanks: String },
    /// Without quotes, with the blanks behind it.
    Word(String),
    /// `${name}` or `${?name}`; the blanks behind it count as in quoted text.
    Reference {
        name: String,
        optional: bool,
        blanks: String,
    },
    /// `{ … }`
    Object(Block),
    /// `[ … ]`
    List,
}

impl Field {
    /// From the key to the end of the value.
    pub(super) fn span(&self) -> Range<usize> {
        self.key_span.start..self.value_span.end.max(self.key_span.end)
    }

    pub(super) fn blocks(&self) -> impl DoubleEndedIterator<Item = &Block> {
        self.parts.iter().filter_map(|part| match part {
            Part::Object(block) => Some(block),
            _ => None,
        })
    }

    pub(super) fn is_object(&self) -> bool {
        self.blocks().next().is_some()
    }

    /// `null` without quotes: the key counts as not there.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.parts.as_slice(), [Part::Word(word)] if word.trim_end().eq_ignore_ascii_case("null"))
    }

    /// The value, where it is plain text: no references, no `+=`, no object, no list.
    pub(super) fn text(&self) -> Option<String> {
        if self.append {
            return None;
        }
        let mut text = String::new();
        let last = self.parts.len().checked_sub(1);
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Quoted {
                    text: quoted,
                    blanks,
                } => {
                    text.push_str(quoted);
                    if Some(index) != last {
                        text.push_str(blanks);
                    }
                }
                Part::Word(word) if Some(index) == last => {
                    text.push_str(word.trim_end_matches([' ', '\t']));
                }
                Part::Word(word) => text.push_str(word),
                Part::Reference { .. } | Part::Object(_) | Part::List => return None,
            }
        }
        Some(text)
    }
}

/// The line of a byte, from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    1 + text[..offset.min(text.len())].matches('\n').count()
}
