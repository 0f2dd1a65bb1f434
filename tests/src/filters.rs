use crate::PocTest;

impl PocTest {
    /// Pairs of a regular expression and what a snapshot shows in its place, most special first.
    pub fn filters(&self) -> Vec<(String, String)> {
        let mut filters = vec![
            (quoted(self.workspace().as_str()), "[WORKSPACE]".to_owned()),
            (quoted(self.home().as_str()), "[HOME]".to_owned()),
            (quoted(self.root().as_str()), "[ROOT]".to_owned()),
        ];
        if let Some(python) = self.python_if_any() {
            filters.push((quoted(python.as_str()), "[PYTHON]".to_owned()));
        }
        let everywhere = [
            (r"pid[= ]\d+", "pid [PID]"),
            (r"\(pid \d+\)", "(pid [PID])"),
            (r"process \d+", "process [PID]"),
            (
                r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
                "[TIME]",
            ),
            (r"\b\d{4}-\d\d-\d\d\b", "[DATE]"),
            (r"\b\d+(\.\d+)? ?(ms|s)\b", "[DURATION]"),
            (
                r"\b(127\.0\.0\.1|localhost|0\.0\.0\.0):\d{4,5}\b",
                "$1:[PORT]",
            ),
            (r"\bport \d{4,5}\b", "port [PORT]"),
            (r"\bpoc \d+\.\d+\.\d+\b", "poc [VERSION]"),
        ];
        filters.extend(everywhere.map(|(pattern, word)| (pattern.to_owned(), word.to_owned())));
        filters
    }
}

/// A regular expression that matches `text` and nothing else.
fn quoted(text: &str) -> String {
    let mut pattern = String::new();
    for letter in text.chars() {
        if !letter.is_alphanumeric() && letter != '/' && letter != ' ' {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}
