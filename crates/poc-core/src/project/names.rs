//! Which names NVFlare takes, and which of those are safe to make directories of.
//!
//! The patterns are those of `nvflare/apis/utils/format_check.py`, matched from the first character to
//! the last (NVFlare's `$` lets a trailing newline pass), with more rules where a name becomes a
//! directory, an argument or a certificate: no leading dash or dot, none of the words that commands
//! and the certificate store use for themselves, and no more than 64 characters (X.509's limit for a
//! common name, RFC 5280 appendix A.1).

/// Why a name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing but white space, or nothing at all.
    #[error("a name is empty")]
    Empty,
    /// More than X.509 or NVFlare takes.
    #[error("`{name}` is longer than {limit} characters")]
    TooLong {
        /// The name.
        name: String,
        /// The most that can be.
        limit: usize,
    },
    /// A character, or an order of characters, that NVFlare does not take there.
    #[error("`{}` is not a name that NVFlare takes: {rule}", name.escape_debug())]
    Characters {
        /// The name.
        name: String,
        /// What it may be made of.
        rule: &'static str,
    },
    /// It would be read as a flag, or hidden.
    #[error("`{name}` begins with `{first}`")]
    Leading {
        /// The name.
        name: String,
        /// The character.
        first: char,
    },
    /// A word with a meaning of its own.
    #[error("`{name}` is reserved")]
    Reserved {
        /// The name.
        name: String,
    },
}

/// `all` and `none` are words of the commands; the other two are keys of NVFlare's certificate store
/// (`state/cert.json`), where a participant of that name would overwrite the CA.
const RESERVED: [&str; 4] = ["all", "none", "root_cert", "root_pri_key"];

/// X.509's limit for a common name.
const COMMON_NAME: usize = 64;

/// NVFlare cuts a longer project name off (`nvflare/lighter/provision.py`).
const PROJECT: usize = 63;

/// Checks a site's (client's) or relay's name.
///
/// ```
/// use poc_core::project::names;
/// assert!(names::check_site("site-1").is_ok());
/// assert!(names::check_site("../x").is_err());
/// ```
///
/// # Errors
///
/// What is wrong with it.
pub fn check_site(name: &str) -> Result<(), NameError> {
    common(name, COMMON_NAME)?;
    matches(
        name,
        "letters, digits, `-` and `_`",
        name.chars().all(|c| is_word(c) || c == '-'),
    )
}

/// Checks the server's name: a DNS name.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_server(name: &str) -> Result<(), NameError> {
    common(name, COMMON_NAME)?;
    check_host(name)
}

/// Checks a host name: labels of letters, digits and inner dashes, with dots between.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_host(name: &str) -> Result<(), NameError> {
    // The longest that DNS takes, RFC 1035 section 2.3.4.
    limit(name, 253)?;
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    matches(
        name,
        "a host name of letters, digits, `-` and `.`",
        name.split('.').all(label),
    )
}

/// Checks an admin's name: an e-mail address.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_admin(name: &str) -> Result<(), NameError> {
    common(name, COMMON_NAME)?;
    let rule = "an e-mail address such as admin@nvidia.com";
    let Some((user, domain)) = name.split_once('@') else {
        return matches(name, rule, false);
    };
    let user_ok = !user.is_empty() && user.chars().all(|c| is_word(c) || ".%+-".contains(c));
    let (host, top) = domain.rsplit_once('.').unwrap_or(("", ""));
    let host_ok = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    let top_ok = top.len() >= 2 && top.chars().all(|c| c.is_ascii_alphabetic());
    matches(name, rule, user_ok && host_ok && top_ok)
}

/// Checks an organisation's name.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_org(name: &str) -> Result<(), NameError> {
    limit(name, COMMON_NAME)?;
    matches(name, "letters, digits and `_`", name.chars().all(is_word))
}

/// Checks the common name of a certificate that somebody is known by: any text that is not blank.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_identity(name: &str) -> Result<(), NameError> {
    limit(name, COMMON_NAME)?;
    matches(
        name,
        "text without control characters",
        !name.chars().any(char::is_control),
    )
}

/// Checks an admin's role, such as `project_admin` or `lead`.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_role(name: &str) -> Result<(), NameError> {
    limit(name, COMMON_NAME)?;
    matches(name, "letters, digits and `_`", name.chars().all(is_word))
}

/// Checks a study's name; `default` is NVFlare's own.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_study(name: &str) -> Result<(), NameError> {
    limit(name, 63)?;
    if name == "default" {
        return Err(NameError::Reserved {
            name: name.to_owned(),
        });
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let ok = edge(name.chars().next()) && edge(name.chars().next_back()) && name.chars().all(inner);
    matches(
        name,
        "lower-case letters and digits, inside also `-` and `_`",
        ok,
    )
}

/// Checks the project's name. NVFlare checks none of it, and `../x` escapes the workspace; so it must
/// be a plain directory name that does not take the place of another file of the workspace.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_project(name: &str) -> Result<(), NameError> {
    common(name, PROJECT)?;
    // ASCII alone: the name goes into the root certificate as a DNS name.
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._- ".contains(c);
    matches(
        name,
        "letters, digits, `-`, `_`, `.` and spaces",
        name.chars().all(allowed) && name.trim() == name,
    )?;
    let taken = ["project.yml", "data", "jobs-storage", "snapshot-storage"];
    if taken.contains(&name) {
        return Err(NameError::Reserved {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// What holds for everything that becomes a directory.
fn common(name: &str, most: usize) -> Result<(), NameError> {
    limit(name, most)?;
    if let Some(first @ ('-' | '.')) = name.chars().next() {
        return Err(NameError::Leading {
            name: name.to_owned(),
            first,
        });
    }
    if RESERVED.contains(&name) {
        return Err(NameError::Reserved {
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn limit(name: &str, limit: usize) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Empty);
    }
    // X.509 counts characters; file systems bytes: 64 of the longest are just 256.
    if name.chars().count() > limit {
        return Err(NameError::TooLong {
            name: name.to_owned(),
            limit,
        });
    }
    Ok(())
}

fn matches(name: &str, rule: &'static str, ok: bool) -> Result<(), NameError> {
    if ok {
        Ok(())
    } else {
        Err(NameError::Characters {
            name: name.to_owned(),
            rule,
        })
    }
}

/// The `\w` of NVFlare's patterns, which are all ASCII.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_documentation_pass() {
        for name in ["site-1", "site_2", "Hospital-A", "1", &"x".repeat(64)] {
            assert_eq!(check_site(name), Ok(()), "{name}");
        }
        for name in ["server", "server1.example.com", "10.0.0.7", "a-b.c"] {
            assert_eq!(check_server(name), Ok(()), "{name}");
        }
        for name in [
            "admin@nvidia.com",
            "org-admin@nvidia.com",
            "a.b+c%d_e@x-y.z.org",
        ] {
            assert_eq!(check_admin(name), Ok(()), "{name}");
        }
        for name in ["example_project", "My trial 2.0", "p-1"] {
            assert_eq!(check_project(name), Ok(()), "{name}");
        }
        assert_eq!(check_org("nvidia_1"), Ok(()));
        assert_eq!(check_role("project_admin"), Ok(()));
        assert_eq!(check_study("cancer-2_b"), Ok(()));
    }

    #[test]
    fn every_name_that_could_do_harm_is_refused_by_every_check() {
        type Check = fn(&str) -> Result<(), NameError>;
        let checks: [Check; 7] = [
            check_site,
            check_server,
            check_admin,
            check_org,
            check_role,
            check_project,
            check_study,
        ];
        let long = "x".repeat(300);
        for name in [
            "",
            " ",
            "\n",
            "site-1\n",
            "../x",
            "/etc",
            "a/b",
            "a\0b",
            "-rf",
            "--help",
            ".",
            "..",
            ".hidden",
            "a;b",
            "$(x)",
            "a`b`",
            "a\"b",
            "a'b",
            "a\\b",
            "a b\n",
            "\u{202e}x",
            &long,
        ] {
            for check in checks {
                assert!(check(name).is_err(), "{name:?}");
            }
        }
    }

    #[test]
    fn reserved_words_are_refused_where_they_would_collide() {
        for name in ["all", "none", "root_cert", "root_pri_key"] {
            assert_eq!(
                check_site(name),
                Err(NameError::Reserved {
                    name: name.to_owned()
                }),
                "{name}"
            );
            assert!(check_project(name).is_err(), "{name}");
        }
        for name in ["data", "jobs-storage", "snapshot-storage", "project.yml"] {
            assert_eq!(
                check_project(name),
                Err(NameError::Reserved {
                    name: name.to_owned()
                }),
                "{name}"
            );
        }
        assert!(check_study("default").is_err());
    }

    #[test]
    fn the_reasons_are_told() {
        let reasons = [
            check_site("a\nb"),
            check_site("-x"),
            check_site("root_cert"),
            check_site(""),
            check_site(&"x".repeat(65)),
            check_server("a_b"),
            check_admin("admin"),
            check_admin("a@b@c.org"),
            check_admin("a@localhost"),
            check_project(" x"),
            check_study("Upper"),
        ];
        let reasons: Vec<String> = reasons
            .into_iter()
            .map(|reason| reason.unwrap_err().to_string())
            .collect();
        insta::assert_snapshot!(reasons.join("\n"), @r"
        `a\nb` is not a name that NVFlare takes: letters, digits, `-` and `_`
        `-x` begins with `-`
        `root_cert` is reserved
        a name is empty
        `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` is longer than 64 characters
        `a_b` is not a name that NVFlare takes: a host name of letters, digits, `-` and `.`
        `admin` is not a name that NVFlare takes: an e-mail address such as admin@nvidia.com
        `a@b@c.org` is not a name that NVFlare takes: an e-mail address such as admin@nvidia.com
        `a@localhost` is not a name that NVFlare takes: an e-mail address such as admin@nvidia.com
        ` x` is not a name that NVFlare takes: letters, digits, `-`, `_`, `.` and spaces
        `Upper` is not a name that NVFlare takes: lower-case letters and digits, inside also `-` and `_`
        ");
    }

    proptest! {
        #[test]
        fn what_passes_is_one_plain_directory_name(name in "\\PC{0,20}|[a-z0-9._@% -]{0,70}|\\.\\.?|-[a-z]*") {
            for check in [check_site, check_server, check_admin, check_project] {
                if check(&name).is_ok() {
                    prop_assert!(!name.contains(['/', '\0', '\n', '\\']));
                    prop_assert!(!name.starts_with(['-', '.']));
                    prop_assert!(!name.is_empty() && name.len() <= 64 && name.is_ascii());
                }
            }
        }
    }
}
