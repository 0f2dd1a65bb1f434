//! Edits of the text that touch nothing but the key in question.
//!
//! Each returns the replacement of one stretch of text; the caller applies it and takes the file
//! apart anew, so that no place is ever stale.

use std::ops::Range;

use super::lookup::{assignments, effective, home_of};
use super::quoting::write_key;
use super::tree::{Block, Field};

/// One stretch of the text and what is to stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) span: Range<usize>,
    pub(super) text: String,
}

/// Gives a key a value (already written as HOCON).
pub(super) fn set(text: &str, root: &Block, key: &[&str], value: &str) -> Edit {
    if let Some(field) = effective(root, key) {
        return replace_value(field, value);
    }
    let (covered, block) = home_of(root, key);
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    match block.fields.last() {
        Some(last) => insert_after(text, block, last, &key[covered..], value, newline),
        None => insert_first(text, block, covered == 0, &key[covered..], value, newline),
    }
}

/// Whether an `include` comes after the place where a value would be set: what it brings in is not known
/// here, and would win.
pub(super) fn is_overtaken(root: &Block, key: &[&str]) -> bool {
    let place = effective(root, key).map_or_else(
        || {
            let (_, block) = home_of(root, key);
            let last = block.fields.last();
            last.map_or(block.inner.start, |last| last.span().end)
        },
        |field| field.span().end,
    );
    last_include(root).is_some_and(|include| include > place)
}

fn last_include(block: &Block) -> Option<usize> {
    let inside = block.fields.iter().flat_map(Field::blocks);
    let inside = inside.filter_map(last_include);
    block.includes.iter().copied().chain(inside).max()
}

/// Writes a key at the very end of the file, after everything that could say otherwise.
pub(super) fn append(text: &str, root: &Block, key: &[&str], value: &str) -> Edit {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let end = root.inner.end;
    let is_braced = end < text.len();
    let lead = if text[..end].ends_with('\n') {
        ""
    } else {
        newline
    };
    let indent = if is_braced { "  " } else { "" };
    let lines = nested_lines(key, value, indent, newline);
    Edit {
        span: end..end,
        text: format!("{lead}{lines}"),
    }
}

/// Takes one assignment of a key, or of anything under it, away; `None` when there is none left.
pub(super) fn remove(text: &str, root: &Block, key: &[&str]) -> Option<Edit> {
    assignments(root)
        .into_iter()
        .find(|assignment| assignment.key == key || starts_with(&assignment.key, key))
        .map(|assignment| take_out(text, assignment.field))
}

/// Takes away an object at `key` in which nothing is left, not even a comment.
pub(super) fn remove_if_hollow(text: &str, root: &Block, key: &[&str]) -> Option<Edit> {
    assignments(root)
        .into_iter()
        .filter(|assignment| assignment.key == key && assignment.field.is_object())
        .find(|assignment| {
            assignment
                .field
                .blocks()
                .all(|block| text[block.inner.clone()].trim().is_empty())
        })
        .map(|assignment| take_out(text, assignment.field))
}

fn starts_with(key: &[String], prefix: &[&str]) -> bool {
    key.len() > prefix.len() && key.iter().zip(prefix).all(|(left, right)| left == right)
}

fn replace_value(field: &Field, value: &str) -> Edit {
    if field.append || field.is_object() || field.value_span.is_empty() {
        // `+=`, perhaps no separator, or no value: both are written anew.
        let span = field.key_span.end..field.span().end;
        return Edit {
            span,
            text: format!(" = {value}"),
        };
    }
    Edit {
        span: field.value_span.clone(),
        text: value.to_owned(),
    }
}

/// `a { b = value }` on one line.
fn nested_inline(key: &[&str], value: &str) -> String {
    match key {
        [] => String::new(),
        [last] => format!("{} = {value}", write_key(last)),
        [first, rest @ ..] => format!("{} {{ {} }}", write_key(first), nested_inline(rest, value)),
    }
}

/// The same over several lines, each indented by `indent` and then by two for each level.
fn nested_lines(key: &[&str], value: &str, indent: &str, newline: &str) -> String {
    match key {
        [] => String::new(),
        [last] => format!("{indent}{} = {value}{newline}", write_key(last)),
        [first, rest @ ..] => {
            let inner = nested_lines(rest, value, &format!("{indent}  "), newline);
            format!(
                "{indent}{} {{{newline}{inner}{indent}}}{newline}",
                write_key(first)
            )
        }
    }
}

/// Writes a new field at the end of an object, in that object's style.
fn insert_after(
    text: &str,
    block: &Block,
    last: &Field,
    key: &[&str],
    value: &str,
    newline: &str,
) -> Edit {
    let end = last.span().end;
    // A key without a value takes what comes next for its value: it gets the one that it has in effect.
    let value_of_last = if last.value_span.is_empty() {
        " \"\""
    } else {
        ""
    };
    match end_of_line(text, end).filter(|next_line| *next_line <= block.inner.end) {
        Some(next_line) => {
            let rest_of_line = &text[end..next_line];
            let lines = nested_lines(key, value, indent_at(text, last.key_span.start), newline);
            // The file's last line may lack its newline.
            let lead = if text[..next_line].ends_with('\n') {
                ""
            } else {
                newline
            };
            if value_of_last.is_empty() {
                Edit {
                    span: next_line..next_line,
                    text: format!("{lead}{lines}"),
                }
            } else {
                Edit {
                    span: end..next_line,
                    text: format!("{value_of_last}{rest_of_line}{lead}{lines}"),
                }
            }
        }
        None => Edit {
            span: end..end,
            text: format!("{value_of_last}, {}", nested_inline(key, value)),
        },
    }
}

/// Writes the first field of an object, or of the file.
fn insert_first(
    text: &str,
    block: &Block,
    is_root: bool,
    key: &[&str],
    value: &str,
    newline: &str,
) -> Edit {
    let inner = &text[block.inner.clone()];
    if is_root && block.inner == (0..text.len()) {
        let lead = if inner.is_empty() || inner.ends_with('\n') {
            ""
        } else {
            newline
        };
        let lines = nested_lines(key, value, "", newline);
        return Edit {
            span: text.len()..text.len(),
            text: format!("{lead}{lines}"),
        };
    }
    match inner.rfind('\n') {
        // The closing brace has a line of its own: the field goes above it.
        Some(last_newline) if inner[last_newline..].trim().is_empty() => {
            let at = block.inner.start + last_newline + 1;
            let indent = format!("{}  ", &inner[last_newline + 1..]);
            Edit {
                span: at..at,
                text: nested_lines(key, value, &indent, newline),
            }
        }
        _ if is_root => {
            let lines = nested_lines(key, value, "  ", newline);
            Edit {
                span: block.inner.clone(),
                text: format!("{newline}{lines}"),
            }
        }
        _ => Edit {
            span: block.inner.clone(),
            text: format!(" {} ", nested_inline(key, value)),
        },
    }
}

/// Where the next line begins, if nothing but a comma and a comment follows on this one.
fn end_of_line(text: &str, from: usize) -> Option<usize> {
    let rest = &text[from..];
    let line = rest.find('\n').map_or(rest, |end| &rest[..=end]);
    let tail = line.trim_start_matches([' ', '\t']);
    let tail = tail
        .strip_prefix(',')
        .unwrap_or(tail)
        .trim_start_matches([' ', '\t']);
    let clear = tail.trim().is_empty() || tail.starts_with('#') || tail.starts_with("//");
    clear.then_some(from + line.len())
}

/// The blanks at the beginning of the line of `offset`.
fn indent_at(text: &str, offset: usize) -> &str {
    let line = &text[text[..offset].rfind('\n').map_or(0, |newline| newline + 1)..offset];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// The stretch that an assignment takes, with its comma, and with its line where that is then empty.
fn take_out(text: &str, field: &Field) -> Edit {
    let mut span = field.span();
    let after = &text[span.end..];
    let blanks = after.len() - after.trim_start_matches([' ', '\t']).len();
    if after[blanks..].starts_with(',') {
        span.end += blanks + 1;
        if text[..span.start].is_empty() || text[..span.start].ends_with([' ', '\t', '\n']) {
            let rest = &text[span.end..];
            span.end += rest.len() - rest.trim_start_matches([' ', '\t']).len();
        }
    } else if let Some(before) = text[..span.start]
        .trim_end_matches([' ', '\t'])
        .strip_suffix(',')
    {
        span.start = before.len();
    }
    let line_start = text[..span.start]
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let rest = &text[span.end..];
    let line_rest = rest.find('\n').map_or(rest, |end| &rest[..=end]);
    if text[line_start..span.start].trim().is_empty() && line_rest.trim().is_empty() {
        span = line_start..span.end + line_rest.len();
    } else if text[line_start..span.start].trim().is_empty() {
        // Something else stays on the line: it moves up to where the field began.
        span.end += line_rest.len() - line_rest.trim_start_matches([' ', '\t']).len();
    }
    Edit {
        span,
        text: String::new(),
    }
}
