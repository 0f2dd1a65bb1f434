//! Which of a file's assignments count.
//!
//! Later assignments beat earlier ones, objects of one key merge, and `a { b = 1 }` is `a.b = 1`.

use std::collections::BTreeMap;

use super::tree::{Block, Field, Part, SyntaxError, line_at};

/// An assignment with its whole key: those of the objects around it, then its own.
#[derive(Clone, Debug)]
pub(super) struct Assignment<'d> {
    pub(super) key: Vec<String>,
    pub(super) field: &'d Field,
}

/// Every assignment, in the order of the file; an object comes before what is in it.
pub(super) fn assignments(root: &Block) -> Vec<Assignment<'_>> {
    fn walk<'d>(block: &'d Block, prefix: &[String], found: &mut Vec<Assignment<'d>>) {
        for field in &block.fields {
            let key = [prefix, &field.key].concat();
            found.push(Assignment {
                key: key.clone(),
                field,
            });
            for inner in field.blocks() {
                walk(inner, &key, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(root, &[], &mut found);
    found
}

/// The assignment that gives `key` its value: the last one, unless an object around it was replaced
/// by plain text later. For a key that holds an object it is that object's last assignment.
pub(super) fn effective<'d>(root: &'d Block, key: &[&str]) -> Option<&'d Field> {
    let mut found: Option<&Field> = None;
    for assignment in assignments(root) {
        if assignment.key == key {
            found = Some(assignment.field);
        } else if is_prefix(&assignment.key, key) && !assignment.field.is_object() {
            found = None;
        }
    }
    found
}

/// The names directly under `key`, in the order in which they first come.
pub(super) fn names_under(root: &Block, key: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for assignment in assignments(root) {
        if let Some(name) = assignment.key.get(key.len())
            && assignment.key[..key.len()] == *key
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    names
}

/// Whether `key` lies under `prefix`, and is not `prefix` itself.
fn is_prefix(prefix: &[String], key: &[&str]) -> bool {
    prefix.len() < key.len() && prefix.iter().zip(key).all(|(left, right)| left == right)
}

/// The innermost object that a new field of `key` can go into, with how much of the key that covers.
pub(super) fn home_of<'d>(root: &'d Block, key: &[&str]) -> (usize, &'d Block) {
    for length in (1..key.len()).rev() {
        if let Some(block) =
            effective(root, &key[..length]).and_then(|field| field.blocks().next_back())
        {
            return (length, block);
        }
    }
    (0, root)
}

/// What pyhocon refuses although it parses: within one object, a key that is a plain value and then
/// an object. (Across two objects of the same key the later wins.)
pub(super) fn check(text: &str, block: &Block) -> Result<(), SyntaxError> {
    let mut plain: BTreeMap<&str, &Field> = BTreeMap::new();
    for field in &block.fields {
        let Some(first) = field.key.first() else {
            continue;
        };
        let is_list = matches!(field.parts[..], [Part::List]);
        // `a.b = 1` makes an object of `a` as well.
        let is_dotted = field.key.len() > 1;
        if !is_dotted && (is_list || field.text().is_some() && !field.is_null()) {
            plain.insert(first, field);
            continue;
        }
        let earlier = plain.remove(first.as_str()).filter(|earlier| {
            let list_before = matches!(earlier.parts[..], [Part::List]);
            if list_before {
                is_dotted && !is_list
            } else {
                is_dotted && !is_list || field.is_object()
            }
        });
        if let Some(earlier) = earlier {
            let line = line_at(text, field.key_span.start);
            let first_line = line_at(text, earlier.key_span.start);
            let reason =
                format!("`{first}` is an object here but a plain value in line {first_line}");
            return Err(SyntaxError { line, reason });
        }
        for inner in field.blocks() {
            check(text, inner)?;
        }
    }
    Ok(())
}
