//! Tables without lines, as wide as the terminal at most.

use comfy_table::ContentArrangement;

use super::style;

/// Enclose a styled cell until the table is laid out: characters without width, so the columns come
/// out right, and no name can hold them.
const OPEN: [char; 4] = ['\u{2061}', '\u{2062}', '\u{2063}', '\u{2064}'];
const CLOSE: char = '\u{2060}';

/// The look of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Plain,
    Good,
    Doubtful,
    Bad,
    Dim,
}

/// A table that is being filled.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// A table with these headings; `width` is the terminal's, `None` for any.
    pub(crate) fn new(headings: &[&str], width: Option<u16>) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(headings);
        if let Some(width) = width {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self(table)
    }

    /// Adds a row of plain cells.
    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.styled_row(cells.into_iter().map(|cell| (cell, Look::Plain)));
    }

    /// Adds a row of cells with their looks.
    pub(crate) fn styled_row<S: Into<String>>(
        &mut self,
        cells: impl IntoIterator<Item = (S, Look)>,
    ) {
        self.0.add_row(
            cells
                .into_iter()
                .map(|(text, look)| mark(text.into(), look)),
        );
    }

    /// The table as text, each line ended.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for (index, line) in self.0.lines().enumerate() {
            let line = line.trim_end();
            text += &if index == 0 {
                style::strong(line)
            } else {
                painted(line)
            };
            text.push('\n');
        }
        text
    }
}

fn mark(text: String, look: Look) -> String {
    let open = match look {
        _ if text.is_empty() => return text,
        Look::Plain => return text,
        Look::Good => OPEN[0],
        Look::Doubtful => OPEN[1],
        Look::Bad => OPEN[2],
        Look::Dim => OPEN[3],
    };
    format!("{open}{text}{CLOSE}")
}

/// The line with its marks turned into styles.
fn painted(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(OPEN) {
        text += &rest[..start];
        let mut inside = rest[start..].chars();
        let open = inside.next();
        let inside = inside.as_str();
        let end = inside.find(CLOSE).unwrap_or(inside.len());
        let paint = match open {
            Some(mark) if mark == OPEN[0] => style::good,
            Some(mark) if mark == OPEN[1] => style::doubtful,
            Some(mark) if mark == OPEN[2] => style::bad,
            _ => style::dim,
        };
        text += &paint(&inside[..end]);
        rest = inside[end..].strip_prefix(CLOSE).unwrap_or(&inside[end..]);
    }
    // The end of a cell that was wrapped: its beginning is a line above.
    (text + rest).replace(CLOSE, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(width: Option<u16>) -> String {
        let mut table = Table::new(&["name", "state", "ports"], width);
        table.styled_row([
            ("server", Look::Plain),
            ("running", Look::Good),
            ("8002", Look::Dim),
        ]);
        table.styled_row([
            ("a-site-with-a-long-name", Look::Plain),
            ("failed", Look::Bad),
            ("", Look::Dim),
        ]);
        table.row(["site-2", "stopped", ""]);
        table.render()
    }

    #[test]
    fn columns_line_up_whatever_the_styles() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&sample(None)), @r"
        name                     state    ports
        server                   running  8002
        a-site-with-a-long-name  failed
        site-2                   stopped
        ");
        insta::assert_snapshot!(sample(None).replace('\u{1b}', "^"), @r"
        ^[1mname                     state    ports^[0m
        server                   ^[32mrunning^[39m  ^[2m8002^[0m
        a-site-with-a-long-name  ^[31mfailed^[39m
        site-2                   stopped
        ");
    }

    #[test]
    fn a_narrow_terminal_wraps() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&sample(Some(30))), @r"
        name          state    ports
        server        running  8002
        a-site-with-  failed
        a-long-name
        site-2        stopped
        ");
    }
}
