//! `poc remove`: a participant less.

use std::time::Duration;

use camino::Utf8PathBuf;
use poc_core::Line;
use poc_core::config_file::ConfigFile;
use poc_core::project::Role;
use poc_launch::Federation;
use poc_launch::admin::AdminOps as _;
use serde::Serialize;

use super::{locked, refuse_running};
use crate::commands::stop;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Progress, style, words};

/// Arguments of `poc remove`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The site or the user
    #[arg(value_name = "NAME")]
    name: String,

    /// Only if it is of this organisation
    #[arg(long, value_name = "ORG")]
    org: Option<String>,

    /// Stop it first if it runs, and set its kit aside if it holds files that poc did not write
    #[arg(long)]
    force: bool,
}

/// Who was removed.
#[derive(Debug, Serialize)]
struct Data {
    name: String,
    role: Role,
    /// Whether it ran, and was stopped first.
    stopped: bool,
    /// Where its kit is, if it held files of the user's.
    set_aside: Option<Utf8PathBuf>,
    /// NVFlare has no way to revoke a certificate: always `false`.
    certificate_revoked: bool,
    /// Studies that it was part of.
    studies: Vec<String>,
    /// Whether config.conf pointed at its kit, and does no longer.
    config_changed: bool,
    /// Whether this NVFlare can have its server refuse a name.
    #[serde(skip)]
    can_be_disabled: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let data = remove(context, args)?;
    context.printer.result(&data, text)?;
    Ok(0)
}

fn remove(context: &Context, args: &Args) -> Result<Data, CliError> {
    let (prepared, lock, config) = locked(context)?;
    let name = args.name.as_str();
    if let (Some(org), Some(participant)) = (&args.org, prepared.project.find(name))
        && participant.org != *org
    {
        let text = format!(
            "{name} is of the organisation {}, not {org}",
            participant.org
        );
        return Err(CliError::new(crate::error::ErrorCode::InvalidArgs, text));
    }
    // What cannot be removed is not stopped either.
    poc_provision::check_removal(&prepared, name, args.force)?;
    let federation = Federation::open(&prepared);
    let runs = |status: &poc_launch::Status| {
        let mut all = status.participants.iter();
        all.any(|it| it.name == name && it.state.is_active())
    };
    let mut stopped = false;
    let status = federation.status()?;
    if args.force && runs(&status) {
        stop::one(context, &prepared, name)?;
        stopped = true;
    }
    refuse_running(&federation.status()?, name, |error| {
        error
            .hint(format!("stop it first with `poc stop -p {name}`"))
            .hint(format!(
                "or stop and remove it in one go with `poc remove {name} --force`"
            ))
    })?;
    let progress = Progress::spinner(&context.printer, format!("removing {name}"));
    let server = &prepared.project.server().name;
    let is_site = prepared.project.clients().any(|it| it.name == name);
    let server_runs = |it: &poc_launch::ParticipantStatus| it.name == *server && it.pid.is_some();
    if is_site && status.participants.iter().any(server_runs) {
        progress.say(format!("having the server forget {name}"));
        forget(&progress, &federation, name);
        progress.say(format!("removing {name}"));
    }
    let kit = prepared.prod_dir.join(name);
    let lead = prepared.project_admin_kit().dir;
    let removed = poc_provision::remove(&prepared, name, args.force, &lock)?;
    drop(lock);
    let config_changed = removed.role == Role::Admin
        && config.exists()
        && ConfigFile::edit(&config, |config| Ok(config.unregister(&kit, &lead)))?;
    Ok(Data {
        name: removed.name,
        role: removed.role,
        stopped,
        set_aside: removed.set_aside,
        certificate_revoked: false,
        studies: removed.studies,
        config_changed,
        // `nvflare system disable-client` came with 2.9.
        can_be_disabled: prepared.line.is_none_or(|line| line >= Line::V2_9),
    })
}

/// Has a running server forget the site. It would list it for ten minutes, and count on it for jobs.
fn forget(progress: &Progress<'_>, federation: &Federation, name: &str) {
    const LIMIT: Duration = Duration::from_secs(10);
    let outcome = federation
        .admin(None)
        .and_then(|mut admin| admin.remove_client(name, LIMIT));
    // Who never registered is not known there; and a server that has just gone knows nobody.
    match outcome {
        Ok(())
        | Err(
            poc_launch::Error::ServerUnreachable { .. } | poc_launch::Error::AdminRefused { .. },
        ) => {}
        Err(error) => progress.warning(&format!(
            "the server lists {name} until it has been silent for ten minutes: {error}"
        )),
    }
}

fn text(data: &Data) -> String {
    let what = if data.role == Role::Admin {
        "user"
    } else {
        "site"
    };
    let after = if data.stopped {
        ", which was stopped first"
    } else {
        ""
    };
    let mut text = format!("{} Removed {what} {}{after}\n", style::good("✓"), data.name);
    if let Some(kit) = &data.set_aside {
        text += &format!(
            "  its kit held files that poc did not write, and is kept as {}\n",
            style::literal(kit)
        );
    }
    if !data.studies.is_empty() {
        text += &format!(
            "  project.yml does not name it in {} any more; the server's own list still does\n",
            words::list(&data.studies)
        );
    }
    if data.config_changed {
        text += "  config.conf does not point at its kit any more\n";
    }
    text += "\nIts certificate is not revoked, for NVFlare has no way to do that: whoever has a copy of the kit can\nconnect until it expires. `poc prepare --force` makes a new certificate authority";
    if data.role == Role::Client && data.can_be_disabled {
        text += &format!(
            ",\nand `nvflare system disable-client {}` has the server refuse the name",
            data.name
        );
    }
    text += ".\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_says_what_a_removal_is_not() {
        let data = Data {
            name: "site-3".into(),
            role: Role::Client,
            stopped: true,
            set_aside: Some("/w/example_project/removed/site-3".into()),
            certificate_revoked: false,
            studies: vec!["lungs".into()],
            config_changed: false,
            can_be_disabled: true,
        };
        insta::assert_snapshot!(anstream::adapter::strip_str(&text(&data)).to_string(), @r"
        ✓ Removed site site-3, which was stopped first
          its kit held files that poc did not write, and is kept as /w/example_project/removed/site-3
          project.yml does not name it in lungs any more; the server's own list still does

        Its certificate is not revoked, for NVFlare has no way to do that: whoever has a copy of the kit can
        connect until it expires. `poc prepare --force` makes a new certificate authority,
        and `nvflare system disable-client site-3` has the server refuse the name.
        ");
    }
}
