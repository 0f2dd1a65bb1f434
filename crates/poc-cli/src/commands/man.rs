//! `poc man`: the manual pages, made from the same definitions as the help texts.

use std::fmt::Write as _;
use std::io;

use camino::Utf8PathBuf;
use clap::CommandFactory as _;
use poc_core::{env, fsio};
use serde::Serialize;

use crate::args::Cli;
use crate::context::Context;
use crate::error::{CliError, EXIT_CODES, ErrorCode};
use crate::output::{style, words};

/// Arguments of `poc man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "To read it:      poc man | man -l -\n\
                        To install all:  poc man ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// Write the page of every command into this directory, instead of the main page to stdout
    #[arg(value_name = "DIR")]
    directory: Option<Utf8PathBuf>,
}

#[derive(Serialize)]
struct Data {
    pages: Vec<Utf8PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let failed =
        |error: io::Error| CliError::new(ErrorCode::Io, "cannot write the manual").because(error);
    let Some(directory) = &args.directory else {
        context.printer.raw(&main_page().map_err(failed)?)?;
        return Ok(0);
    };
    fs_err::create_dir_all(directory).map_err(failed)?;
    let mut pages = Vec::new();
    for (name, page) in all_pages().map_err(failed)? {
        let path = directory.join(name);
        fsio::write_atomic(&path, &page, 0o644).map_err(failed)?;
        pages.push(path);
    }
    context.printer.result(&Data { pages }, |data| {
        format!(
            "Wrote {} into {}\n",
            words::count(data.pages.len(), "page"),
            style::literal(directory)
        )
    })?;
    Ok(0)
}

/// The page of `poc` itself, with what all commands share: environment, exit codes.
fn main_page() -> io::Result<Vec<u8>> {
    let man = clap_mangen::Man::new(Cli::command());
    let mut page = Vec::new();
    man.render(&mut page)?;
    page.extend_from_slice(shared_sections().as_bytes());
    Ok(page)
}

/// Every page with its file's name.
fn all_pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut pages = vec![("poc.1".to_owned(), main_page()?)];
    let mut cli = Cli::command();
    cli.build();
    for command in cli
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        let name = format!("poc-{}", command.get_name());
        let mut page = Vec::new();
        let command = command
            .clone()
            .name(name.clone())
            .display_name(name.clone());
        clap_mangen::Man::new(command).render(&mut page)?;
        pages.push((format!("{name}.1"), page));
    }
    Ok(pages)
}

fn shared_sections() -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, ".SH \"EXIT STATUS\"");
    for (code, meaning) in EXIT_CODES {
        let _ = writeln!(text, ".TP\n\\fB{code}\\fR\n{meaning}");
    }
    let _ = writeln!(
        text,
        ".SH \"ERROR CODES\"\nWith \\-\\-format json, an error names one of these."
    );
    for (code, meaning) in ErrorCode::ALL {
        let _ = writeln!(
            text,
            ".TP\n\\fB{}\\fR (exit {})\n{}",
            code.as_str(),
            code.exit_code(),
            meaning.trim()
        );
    }
    let _ = writeln!(text, ".SH ENVIRONMENT");
    for var in env::ALL {
        let _ = writeln!(text, ".TP\n\\fB{}\\fR\n{}", var.name, var.doc);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_the_main_page_says_what_all_share() {
        let pages = all_pages().unwrap();
        assert_eq!(
            pages.len(),
            1 + Cli::command()
                .get_subcommands()
                .filter(|command| !command.is_hide_set())
                .count()
        );
        let main = String::from_utf8(pages[0].1.clone()).unwrap();
        for text in ["PORT_IN_USE", "POC_PYTHON", "130", ".SH ENVIRONMENT"] {
            assert!(main.contains(text), "{text}");
        }
        let start = pages
            .iter()
            .find(|(name, _)| name == "poc-start.1")
            .unwrap();
        assert!(String::from_utf8_lossy(&start.1).contains("dry\\-run"));
    }
}
