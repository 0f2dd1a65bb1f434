//! The flags that say what is to be prepared.

use camino::Utf8PathBuf;
use poc_core::docker::DEFAULT_IMAGE;
use poc_core::{FlareVersion, Line, Listen};

use crate::args::{Ports, client_count};
use crate::context::Context;
use crate::error::{CliError, ErrorCode};
use crate::output::words;

/// The sites that a project has where nothing says how many.
pub(super) const DEFAULT_CLIENTS: u32 = 2;

/// The flags that say what is to be prepared; `poc up` has them too.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ProjectArgs {
    /// How many sites, named site-1, site-2, … [default: 2]
    #[arg(short = 'n', long = "number-of-clients", value_name = "N", value_parser = client_count, allow_negative_numbers = true)]
    pub(super) number: Option<u32>,

    /// The sites by name; -n is then ignored
    #[arg(short = 'c', long, value_name = "NAME", num_args = 0..)]
    clients: Option<Vec<String>>,

    /// With keys for homomorphic encryption [also: -he]
    #[arg(long)]
    he: bool,

    /// Take the project from this project.yml; -n, -c and -d are then ignored
    #[arg(short = 'i', long = "project-input", value_name = "FILE")]
    pub(crate) input: Option<Utf8PathBuf>,

    /// For Docker, with this image [without a value: nvflare/nvflare]
    #[arg(short = 'd', long = "docker-image", value_name = "IMAGE", num_args = 0..=1, default_missing_value = DEFAULT_IMAGE)]
    docker_image: Option<String>,

    /// The server's ports: `auto` for free ones, FED, or FED:ADMIN [default: the project's]
    #[arg(long, value_name = "PORTS")]
    pub(super) ports: Option<Ports>,

    /// Where the server listens [default: this machine alone, where its NVFlare can]
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<Listen>,

    /// Make kits for this version of NVFlare [default: that of the Python in use]
    #[arg(long, value_name = "VERSION", value_parser = flare_version)]
    flare_version: Option<FlareVersion>,

    /// Keep the certificate authority of the POC that is replaced
    #[arg(long)]
    pub(crate) keep_ca: bool,
}

/// What the flags of a command line say.
pub(crate) struct Said {
    pub(crate) sites: bool,
    pub(crate) version: bool,
    /// Certain ports.
    pub(crate) ports: bool,
    /// Any free ports.
    pub(crate) any_ports: bool,
    pub(crate) listen: bool,
    /// Containers, and of which image.
    pub(crate) image: bool,
}

impl ProjectArgs {
    /// Whether a flag says what the project is to be.
    pub(crate) fn describes_a_project(&self) -> bool {
        let Said {
            sites,
            version,
            ports,
            any_ports,
            listen,
            image,
        } = self.said();
        self.input.is_some() || sites || version || ports || any_ports || listen || image
    }

    /// Of what the flags say anything, beside `-i`.
    pub(crate) fn said(&self) -> Said {
        Said {
            sites: self.number.is_some() || self.named_clients().is_some(),
            version: self.flare_version.is_some(),
            ports: matches!(self.ports, Some(Ports::Fixed { .. })),
            any_ports: self.ports == Some(Ports::Auto),
            listen: self.listen.is_some(),
            image: self.docker_image().is_some(),
        }
    }

    /// The NVFlare that is asked for.
    pub(crate) const fn flare_version(&self) -> Option<&FlareVersion> {
        self.flare_version.as_ref()
    }

    /// Refuses what this version cannot make yet, before anything is touched.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::NotSupported`] for `-he`.
    pub(crate) fn refuse_unsupported(&self) -> Result<(), CliError> {
        if self.he {
            return Err(CliError::new(
                ErrorCode::NotSupported,
                "this version of poc cannot prepare keys for homomorphic encryption yet",
            )
            .hint("leave out `-he`: everything else works, and models travel in mutual TLS"));
        }
        Ok(())
    }

    /// The image to run participants in.
    pub(super) fn docker_image(&self) -> Option<&str> {
        self.docker_image
            .as_deref()
            .filter(|_| self.input.is_none())
    }

    /// Says which flags have no effect beside others.
    pub(crate) fn announce(&self, context: &Context) {
        for notice in self.notices() {
            context.printer.note(&notice);
        }
    }

    /// The flags that have no effect beside others, in words.
    fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if self.input.is_some() {
            let ignored = [
                ("-n", self.number.is_some()),
                ("-c", self.clients.is_some()),
                ("-d", self.docker_image.is_some()),
            ];
            let ignored: Vec<&str> = ignored
                .into_iter()
                .filter(|(_, given)| *given)
                .map(|(flag, _)| flag)
                .collect();
            if !ignored.is_empty() {
                notices.push(format!(
                    "{} ignored: the project comes from -i",
                    words::list(&ignored)
                ));
            }
        } else if self.named_clients().is_some() {
            if self.number.is_some() {
                notices.push("-n ignored: -c names the sites".to_owned());
            }
        } else if self.clients.is_some() {
            let number = self.number.unwrap_or(DEFAULT_CLIENTS);
            notices.push(format!(
                "-c names no site: there will be {}",
                words::count(number as usize, "site")
            ));
        }
        notices
    }

    pub(super) fn named_clients(&self) -> Option<&[String]> {
        self.clients.as_deref().filter(|names| !names.is_empty())
    }
}

fn flare_version(text: &str) -> Result<FlareVersion, String> {
    // Both errors read well beside the value.
    text.parse::<Line>().map_err(|error| error.to_string())?;
    text.parse::<FlareVersion>()
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Words {
        #[command(flatten)]
        project: ProjectArgs,
    }

    fn args(words: &[&str]) -> ProjectArgs {
        Words::try_parse_from([&["prepare"], words].concat())
            .unwrap()
            .project
    }

    #[test]
    fn flags_that_have_no_effect_are_named() {
        for (words, notices) in [
            (&["-n", "3"][..], &[][..]),
            (&["-c", "a", "b"], &[]),
            (&["-n", "3", "-c", "a"], &["-n ignored: -c names the sites"]),
            (&["-c"], &["-c names no site: there will be 2 sites"]),
            (
                &["-i", "p.yml", "-n", "3", "-c", "a", "-d"],
                &["-n, -c and -d ignored: the project comes from -i"],
            ),
        ] {
            assert_eq!(args(words).notices(), notices, "{words:?}");
        }
    }

    #[test]
    fn what_cannot_be_made_yet_is_refused_whole() {
        for words in [&["--he"][..], &["--he", "-i", "p.yml"]] {
            let error = args(words).refuse_unsupported().unwrap_err();
            assert_eq!(error.code(), ErrorCode::NotSupported, "{words:?}");
        }
    }

    #[test]
    fn the_image_is_what_is_named_or_nvflares_and_beside_a_project_file_nothing() {
        assert_eq!(args(&["-d"]).docker_image(), Some(DEFAULT_IMAGE));
        assert_eq!(args(&["-d", "img:1"]).docker_image(), Some("img:1"));
        assert_eq!(args(&["-d", "-i", "p.yml"]).docker_image(), None);
        assert_eq!(args(&[]).docker_image(), None);
    }

    #[test]
    fn only_some_flags_describe_a_project() {
        for words in [
            &["-n", "2"][..],
            &["-c", "a"],
            &["-i", "p"],
            &["--ports", "auto"],
            &["--listen", "all"],
            &["--flare-version", "2.9"],
            &["-d"],
        ] {
            assert!(args(words).describes_a_project(), "{words:?}");
        }
        for words in [&[][..], &["--keep-ca"], &["-c"]] {
            assert!(!args(words).describes_a_project(), "{words:?}");
        }
    }
}
