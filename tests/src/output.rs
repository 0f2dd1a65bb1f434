use std::{fmt::Write as _, time::Duration};

use serde_json::Value;

/// What a program said and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// The exit code; `None` when a signal ended it.
    pub exit: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// From start to exit.
    pub elapsed: Duration,
}

impl Output {
    /// Fails unless the exit code is 0.
    ///
    /// # Panics
    ///
    /// Then, with all that the program said.
    #[track_caller]
    pub fn success(&self) -> &Self {
        self.code(0)
    }

    /// Fails unless the exit code is `expected`.
    ///
    /// # Panics
    ///
    /// Then, with all that the program said.
    #[track_caller]
    pub fn code(&self, expected: i32) -> &Self {
        assert_eq!(
            self.exit,
            Some(expected),
            "exit code of `{}`\n{}",
            self.command,
            self.transcript()
        );
        self
    }

    /// Standard output as the one JSON object that `--format json` promises.
    ///
    /// # Panics
    ///
    /// When it is anything else.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(object @ Value::Object(_)) => object,
            other => panic!(
                "`{}` gave no single JSON object: {other:?}\n{}",
                self.command,
                self.transcript()
            ),
        }
    }

    /// The `data` of a `--format json` answer that says it is well.
    ///
    /// # Panics
    ///
    /// When the answer is an error, or its frame differs from the documented one.
    #[track_caller]
    pub fn data(&self) -> Value {
        let mut answer = self.json();
        assert_eq!(answer["schema_version"], "1", "{}", self.transcript());
        assert_eq!(answer["status"], "ok", "{}", self.transcript());
        assert_eq!(answer["exit_code"], 0, "{}", self.transcript());
        answer["data"].take()
    }

    /// The error code of a `--format json` answer, whose frame must be the documented one: a message,
    /// a hint, and the exit code that the process really had.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[track_caller]
    pub fn error_code(&self) -> String {
        let answer = self.json();
        assert_eq!(answer["schema_version"], "1", "{}", self.transcript());
        assert_eq!(answer["status"], "error", "{}", self.transcript());
        assert_eq!(
            answer["exit_code"].as_i64(),
            self.exit.map(i64::from),
            "{}",
            self.transcript()
        );
        for key in ["message", "hint"] {
            assert!(
                answer[key].is_string(),
                "no {key} in the answer\n{}",
                self.transcript()
            );
        }
        answer["error_code"].as_str().unwrap().to_owned()
    }

    /// Both streams together, for a test that asks only whether something was said.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// All of it, in the form that snapshots hold.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        let code = self
            .exit
            .map_or_else(|| "none (a signal)".to_owned(), |code| code.to_string());
        let _ = writeln!(text, "exit code: {code}");
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let _ = writeln!(text, "----- {name} -----");
            text.push_str(stream);
            if !stream.is_empty() && !stream.ends_with('\n') {
                text.push('\n');
            }
        }
        text
    }
}
