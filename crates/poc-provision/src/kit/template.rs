//! Role files: documents of a line with places for what a project says.

use serde_json::{Map, Value};

use crate::Error;

/// What goes into the places of a document, by the place's name.
#[derive(Debug, Default)]
pub(super) struct Values(Map<String, Value>);

impl Values {
    /// The same with one more. `null` is a value as well: its key is then left out of the document.
    pub(super) fn with(mut self, place: &str, value: impl Into<Value>) -> Self {
        self.0.insert(place.to_owned(), value.into());
        self
    }
}

/// The document, a JSON text, with its places filled.
///
/// A text that is nothing but `@PLACE@` becomes the value, whatever its type. In a longer text the
/// place becomes the value as text. Places that nothing is said of stay as they are.
pub(super) fn fill(document: &str, values: &Values) -> Result<Value, Error> {
    Ok(filled(serde_json::from_str(document)?, &values.0))
}

fn filled(value: Value, values: &Map<String, Value>) -> Value {
    match value {
        Value::String(text) => text_filled(&text, values),
        Value::Array(items) => items.into_iter().map(|item| filled(item, values)).collect(),
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| (key, filled(value, values)))
                .filter(|(_, value)| !value.is_null())
                .collect(),
        ),
        other => other,
    }
}

fn text_filled(text: &str, values: &Map<String, Value>) -> Value {
    let whole = text
        .strip_prefix('@')
        .and_then(|rest| rest.strip_suffix('@'));
    if let Some(value) = whole.and_then(|place| values.get(place)) {
        return value.clone();
    }
    // What has been put in is not looked through again: a name may hold an `@`.
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        done.push_str(before);
        match after.split_once('@') {
            Some((place, behind)) if values.contains_key(place) => {
                match &values[place] {
                    Value::String(value) => done.push_str(value),
                    other => done.push_str(&other.to_string()),
                }
                rest = behind;
            }
            _ => {
                done.push('@');
                rest = after;
            }
        }
    }
    done.push_str(rest);
    Value::String(done)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_take_values_of_any_type() {
        let values = Values::default()
            .with("HOST", "localhost")
            .with("PORT", 8002)
            .with("LEAF", true)
            .with("NOTHING", Value::Null)
            .with("NAME", "admin@nvidia.com");
        let document = r#"{
            "target": "@HOST@:@PORT@", "port": "@PORT@", "leaf": ["@LEAF@"], "gone": "@NOTHING@",
            "user": "@NAME@", "mail": "to @NAME@@HOST@", "other": "a@b", "kept": "@UNKNOWN@"
        }"#;
        assert_eq!(
            fill(document, &values).unwrap(),
            json!({
                "target": "localhost:8002", "port": 8002, "leaf": [true],
                "user": "admin@nvidia.com", "mail": "to admin@nvidia.comlocalhost",
                "other": "a@b", "kept": "@UNKNOWN@",
            })
        );
    }

    #[test]
    fn what_is_put_in_is_not_looked_through_again() {
        let values = Values::default().with("A", "@B@").with("B", "wrong");
        assert_eq!(
            fill(r#"["@A@", "x@A@"]"#, &values).unwrap(),
            json!(["@B@", "x@B@"])
        );
    }
}
