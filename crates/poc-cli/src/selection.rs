//! Who is meant by `-p` and `-ex`.

use poc_core::nearest;
use poc_core::project::{Project, Role};

use crate::error::{CliError, ErrorCode};
use crate::output::words;

/// The word for all participants.
const ALL: &str = "all";

/// The participants that a command is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The server and sites, in the project's order.
    pub(crate) services: Vec<String>,
    /// Admins that `-p` names.
    pub(crate) admins: Vec<String>,
    /// Admins that `-ex` names.
    pub(crate) excluded_admins: Vec<String>,
    /// Whether `-p` names them: then one that runs already is an error.
    pub(crate) named: bool,
    /// Whether every service of the project is selected.
    pub(crate) everything: bool,
}

/// Reads `-p` and `-ex`: all services without `-p`, with a bare one and with `all`; from these,
/// without those of `-ex`.
///
/// # Errors
///
/// For a name that the project does not have, with the nearest one that it has; when nobody is left.
pub(crate) fn select(
    project: &Project,
    service: Option<&[String]>,
    exclude: Option<&[String]>,
) -> Result<Selection, CliError> {
    // An empty word is an unset shell variable in quotes; NVFlare's own default for -ex is one.
    let exclude: Vec<&String> = exclude
        .unwrap_or_default()
        .iter()
        .filter(|name| !name.trim().is_empty())
        .collect();
    let service = service.unwrap_or_default();
    let named = !service.is_empty() && !service.iter().any(|name| name == ALL);
    for name in service
        .iter()
        .filter(|name| *name != ALL)
        .chain(exclude.iter().copied())
    {
        known(project, name)?;
    }

    let mut services = Vec::new();
    let mut admins = Vec::new();
    let mut total = 0;
    for participant in project.participants() {
        let asked = !named || service.contains(&participant.name);
        let chosen = asked && !exclude.contains(&&participant.name);
        match participant.role() {
            Role::Server | Role::Client | Role::Relay => {
                total += 1;
                if chosen {
                    services.push(participant.name.clone());
                }
            }
            Role::Admin if named && chosen => admins.push(participant.name.clone()),
            Role::Admin => {}
        }
    }
    if services.is_empty() && admins.is_empty() {
        return Err(CliError::new(
            ErrorCode::InvalidArgs,
            "`-ex` leaves nobody of those selected",
        )
        .hint(format!(
            "the participants are {}",
            words::list(&names(project))
        )));
    }
    let excluded_admins = project
        .admins()
        .filter(|admin| exclude.contains(&&admin.name))
        .map(|admin| admin.name.clone())
        .collect();
    Ok(Selection {
        everything: services.len() == total,
        services,
        admins,
        excluded_admins,
        named,
    })
}

/// Checks that the project has a participant of that name.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgs`] with the nearest name where it has none.
pub(crate) fn known(project: &Project, name: &str) -> Result<(), CliError> {
    if project.find(name).is_some() {
        return Ok(());
    }
    let names = names(project);
    let error = CliError::new(
        ErrorCode::InvalidArgs,
        format!(
            "there is no participant `{name}` in project {}",
            project.name
        ),
    );
    Err(match nearest(name, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
    .hint(format!("the participants are {}", words::list(&names))))
}

fn names(project: &Project) -> Vec<&str> {
    project
        .participants()
        .iter()
        .map(|participant| participant.name.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use poc_core::Line;

    fn project() -> Project {
        Project::poc_default(Line::V2_9, &Project::default_client_names(3)).unwrap()
    }

    fn choose(service: Option<&[&str]>, exclude: Option<&[&str]>) -> Result<Selection, CliError> {
        let own = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        select(
            &project(),
            service.map(own).as_deref(),
            exclude.map(own).as_deref(),
        )
    }

    #[test]
    fn all_of_them_in_every_spelling() {
        for service in [
            None,
            Some(&[][..]),
            Some(&["all"]),
            Some(&["site-1", "all"]),
        ] {
            for exclude in [None, Some(&[][..]), Some(&[""])] {
                let chosen = choose(service, exclude).unwrap();
                assert_eq!(chosen.services, ["server", "site-1", "site-2", "site-3"]);
                assert!(chosen.admins.is_empty() && !chosen.named && chosen.everything);
            }
        }
    }

    #[test]
    fn named_ones_come_in_the_projects_order() {
        let chosen = choose(Some(&["site-2", "server", "admin@nvidia.com"]), None).unwrap();
        assert_eq!(chosen.services, ["server", "site-2"]);
        assert_eq!(chosen.admins, ["admin@nvidia.com"]);
        assert!(chosen.named && !chosen.everything);
    }

    #[test]
    fn excluded_ones_are_left_out() {
        let chosen = choose(None, Some(&["site-2", "admin@nvidia.com"])).unwrap();
        assert_eq!(chosen.services, ["server", "site-1", "site-3"]);
        assert_eq!(chosen.excluded_admins, ["admin@nvidia.com"]);
        assert!(!chosen.everything);
    }

    #[test]
    fn slips_are_answered_with_the_nearest_name() {
        let error = choose(Some(&["site1"]), None).unwrap_err();
        assert_eq!(error.hints()[0], "did you mean `site-1`?");
        assert_eq!(error.code(), ErrorCode::InvalidArgs);
        let error = choose(None, Some(&["zebra"])).unwrap_err();
        insta::assert_snapshot!(format!("{}\n{}", error.message(), error.hints().join("\n")), @r"
        there is no participant `zebra` in project example_project
        the participants are server, admin@nvidia.com, org-admin@nvidia.com, lead@nvidia.com, site-1, site-2 and site-3
        ");
        assert!(choose(Some(&[""]), None).is_err());
    }

    #[test]
    fn nobody_left_is_an_error() {
        assert!(choose(Some(&["site-1"]), Some(&["site-1"])).is_err());
        assert!(choose(None, Some(&["server", "site-1", "site-2", "site-3"])).is_err());
    }
}
