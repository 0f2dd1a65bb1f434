//! `poc config`: every setting with its source, and the two edits of config.conf that NVFlare
//! documents.

use camino::{Utf8Path, Utf8PathBuf};
use poc_core::config_file::ConfigFile;
use poc_core::env;
use poc_core::settings::{Overrides, Settings, Source};
use poc_core::workspace::Workspace;
use poc_launch::runtime;
use serde::Serialize;

use crate::context::{Context, absolute, current_directory};
use crate::error::{CliError, ErrorCode};
use crate::output::style;
use crate::setting::Setting;

/// Arguments of `poc config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep this POC workspace in config.conf [also: -pw]
    #[arg(long = "poc-workspace-dir", visible_alias = "pw", value_name = "DIR")]
    // Not named `workspace`: that is the global option's name.
    poc_workspace_dir: Option<Utf8PathBuf>,

    /// Keep this startup kit in config.conf, for NVFlare's own job and system commands
    #[arg(short = 'd', long = "startup-kit-dir", value_name = "DIR")]
    startup_kit: Option<Utf8PathBuf>,
}

/// The Python that would run the participants.
#[derive(Debug, Serialize)]
struct Runtime {
    #[serde(flatten)]
    setting: Setting,
    flare_version: String,
}

#[derive(Debug, Serialize)]
struct Data {
    config_file: Utf8PathBuf,
    config_file_exists: bool,
    workspace: Setting,
    startup_kit_dir: Option<Setting>,
    examples: Option<Setting>,
    /// `None` where no Python with NVFlare was found.
    python: Option<Runtime>,
    /// What this run changed: `workspace`, `startup_kit_dir`.
    changed: Vec<&'static str>,
    /// Whether there is a POC in the workspace.
    #[serde(skip)]
    prepared: bool,
    /// The kit that was written, where another one stays in effect.
    #[serde(skip)]
    beaten_kit: Option<Utf8PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<u8, CliError> {
    let changed = edit(context, args)?;
    let settings = resolved(context, &changed)?;
    for (name, resolved, var) in [
        (
            "workspace",
            Some(&settings.workspace),
            env::NVFLARE_POC_WORKSPACE,
        ),
        (
            "startup_kit_dir",
            settings.startup_kit_dir.as_ref(),
            env::NVFLARE_STARTUP_KIT_DIR,
        ),
    ] {
        let beaten =
            resolved.is_some_and(|resolved| matches!(resolved.source, Source::Environment(_)));
        if beaten && changed.contains(&name) {
            context.printer.warning(&format!(
                "{} is set, and beats what was just written",
                var.name
            ));
        }
    }
    let kit = args.startup_kit.as_deref().map(absolute).transpose()?;
    let in_effect = settings.startup_kit_dir.as_ref().map(|kit| &kit.value);
    let data = Data {
        prepared: Workspace::new(&settings.workspace.value).load().is_ok(),
        beaten_kit: kit.filter(|kit| in_effect.is_some_and(|it| !same(it, kit))),
        config_file_exists: settings.config_path.exists(),
        workspace: Setting::from(&settings.workspace),
        startup_kit_dir: settings.startup_kit_dir.as_ref().map(Setting::from),
        examples: settings.examples.as_ref().map(Setting::from),
        python: python(context, &settings),
        config_file: settings.config_path,
        changed,
    };
    context.printer.result(&data, text)?;
    Ok(0)
}

/// Writes what the flags say into config.conf, and names what changed.
fn edit(context: &Context, args: &Args) -> Result<Vec<&'static str>, CliError> {
    let mut changed = Vec::new();
    if args.poc_workspace_dir.is_none() && args.startup_kit.is_none() {
        return Ok(changed);
    }
    // A file that does not parse is complained of before what is to be written into it.
    let path = context.config_file()?.path().to_owned();
    // Resolving them as settings makes them absolute and tidy, as every reader will see them. Not with
    // what the file says: a value of it that cannot be worked out is to be replaced, not complained of.
    let overrides = Overrides {
        workspace: args.poc_workspace_dir.clone(),
        startup_kit_dir: args.startup_kit.clone(),
        ..Overrides::default()
    };
    let empty = ConfigFile::parse(&path, "")?;
    let given = Settings::resolve(&overrides, &context.env, &empty, &current_directory()?)?;
    let workspace = args
        .poc_workspace_dir
        .as_ref()
        .map(|_| given.workspace.value);
    let startup_kit = args
        .startup_kit
        .as_ref()
        .and(given.startup_kit_dir)
        .map(|kit| kit.value);
    if let Some(directory) = &startup_kit {
        check_kit(directory)?;
    }
    ConfigFile::edit(&path, |file| {
        if let Some(directory) = &workspace {
            file.set_workspace(directory);
            changed.push("workspace");
        }
        if let Some(directory) = &startup_kit {
            file.set_startup_kit(directory);
            changed.push("startup_kit_dir");
        }
        Ok(())
    })?;
    Ok(changed)
}

/// Whether both lead to one directory.
fn same(one: &Utf8Path, other: &Utf8Path) -> bool {
    let real = |path: &Utf8Path| path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

/// Refuses what NVFlare's job and system commands cannot use: they speak to the server as an admin.
fn check_kit(directory: &Utf8Path) -> Result<(), CliError> {
    let refused = |why: String| {
        Err(CliError::new(ErrorCode::InvalidArgs, why).hint(
            "name an admin's kit, such as `<workspace>/<project>/prod_00/admin@nvidia.com`, or the \
             directory of all kits (`prod_00`)",
        ))
    };
    if !directory.is_dir() {
        return refused(format!("{directory} is not a directory"));
    }
    if is_admin_kit(directory) || holds_admin_kit(directory) {
        return Ok(());
    }
    let role = ["server", "client", "relay"]
        .into_iter()
        .find(|role| directory.join(format!("startup/fed_{role}.json")).is_file());
    refused(match role {
        Some(role) => format!(
            "{directory} is the kit of a {role}, and NVFlare's job and system commands need an admin's"
        ),
        None => format!("{directory} is no admin's startup kit, and holds none"),
    })
}

/// What NVFlare takes for one (`ADMIN_STARTUP_KIT_REQUIRED_FILES` in its `tool/kit/kit_config.py`).
fn is_admin_kit(directory: &Utf8Path) -> bool {
    ["fed_admin.json", "client.crt", "rootCA.pem"]
        .iter()
        .all(|file| directory.join("startup").join(file).is_file())
}

fn holds_admin_kit(directory: &Utf8Path) -> bool {
    let names = poc_core::fsio::entries(directory).unwrap_or_default();
    names.iter().any(|name| is_admin_kit(&directory.join(name)))
}

/// Every setting as it is now. After a change, a value of another key that cannot be worked out keeps
/// them from being shown, and not the change from having been made.
fn resolved(context: &Context, changed: &[&'static str]) -> Result<Settings, CliError> {
    context.settings().inspect_err(|_| {
        if !changed.is_empty() {
            let changed = changed.join(", ");
            context
                .printer
                .note(&format!("config.conf was changed: {changed}"));
        }
    })
}

fn python(context: &Context, settings: &Settings) -> Option<Runtime> {
    let data_dir = runtime::managed::data_dir(&context.env).ok()?;
    match runtime::find(None, settings.python.as_ref(), &context.env, &data_dir) {
        Ok(found) => Some(Runtime {
            flare_version: found.flare_version.to_string(),
            setting: Setting::from(&found),
        }),
        Err(error) => {
            context.printer.warning(&error.to_string());
            None
        }
    }
}

fn text(data: &Data) -> String {
    let mut text = String::new();
    let mut line = |name: &str, setting: Option<&Setting>, extra: &str| {
        text += &match setting {
            Some(setting) => format!(
                "{name:<16} {}{extra} {}\n",
                style::literal(&setting.value),
                style::dim(format_args!("({})", setting.origin()))
            ),
            None => format!("{name:<16} {}\n", style::dim("none")),
        };
    };
    line("workspace", Some(&data.workspace), "");
    line("startup kit", data.startup_kit_dir.as_ref(), "");
    line("examples", data.examples.as_ref(), "");
    let version = data
        .python
        .as_ref()
        .map(|python| format!(" with NVFlare {}", python.flare_version));
    line(
        "python",
        data.python.as_ref().map(|python| &python.setting),
        &version.unwrap_or_default(),
    );
    let there = if data.config_file_exists {
        ""
    } else {
        " (not there yet)"
    };
    text += &format!(
        "{:<16} {}{there}\n",
        "config.conf",
        style::literal(&data.config_file)
    );
    if !data.changed.is_empty() {
        let effect = effect(data);
        text += &format!("\n{} config.conf was changed{effect}\n", style::good("✓"));
    }
    text
}

/// When what was written takes effect.
fn effect(data: &Data) -> String {
    if data.changed.contains(&"workspace") && !data.prepared {
        let prepare = style::literal("`poc prepare`");
        return format!(". Run {prepare} again for it to take effect.");
    }
    match (&data.beaten_kit, &data.startup_kit_dir) {
        (Some(_), Some(active)) => format!(
            " for the commands of NVFlare 2.4 to 2.7; later ones go on with the active kit,\n  {}. An \
             admin's own kit (`-d KIT`) is made the active one.",
            style::literal(&active.value)
        ),
        _ => ", with effect from now on".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(changed: Vec<&'static str>) -> Data {
        let setting = |value: &str, source, detail: Option<&str>| Setting {
            value: value.to_owned(),
            source,
            detail: detail.map(str::to_owned),
        };
        Data {
            config_file: "/home/mia/.nvflare/config.conf".into(),
            config_file_exists: true,
            workspace: setting("/srv/poc", "environment", Some("NVFLARE_POC_WORKSPACE")),
            startup_kit_dir: Some(setting(
                "/srv/poc/example_project/prod_00",
                "config_file",
                Some("line 2, startup_kit.path"),
            )),
            examples: None,
            python: Some(Runtime {
                setting: setting(
                    "/opt/venv/bin/python",
                    "discovered",
                    Some("active virtual environment"),
                ),
                flare_version: "2.9.0".into(),
            }),
            changed,
            prepared: false,
            beaten_kit: None,
        }
    }

    #[test]
    fn every_setting_with_its_source() {
        let text = text(&sample(vec!["workspace"]));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text), @r"
        workspace        /srv/poc (environment: NVFLARE_POC_WORKSPACE)
        startup kit      /srv/poc/example_project/prod_00 (config.conf: line 2, startup_kit.path)
        examples         none
        python           /opt/venv/bin/python with NVFlare 2.9.0 (active virtual environment)
        config.conf      /home/mia/.nvflare/config.conf

        ✓ config.conf was changed. Run `poc prepare` again for it to take effect.
        ");
        let told = |data: &Data| anstream::adapter::strip_str(&effect(data)).to_string();
        let mut kit = sample(vec!["startup_kit_dir"]);
        assert_eq!(told(&kit), ", with effect from now on");
        kit.beaten_kit = Some("/srv/poc/example_project/prod_00".into());
        assert!(told(&kit).contains("later ones go on with the active kit"));
        let mut workspace = sample(vec!["workspace"]);
        workspace.prepared = true;
        assert_eq!(told(&workspace), ", with effect from now on");
        insta::assert_json_snapshot!(sample(vec![]), @r#"
        {
          "config_file": "/home/mia/.nvflare/config.conf",
          "config_file_exists": true,
          "workspace": {
            "value": "/srv/poc",
            "source": "environment",
            "detail": "NVFLARE_POC_WORKSPACE"
          },
          "startup_kit_dir": {
            "value": "/srv/poc/example_project/prod_00",
            "source": "config_file",
            "detail": "line 2, startup_kit.path"
          },
          "examples": null,
          "python": {
            "value": "/opt/venv/bin/python",
            "source": "discovered",
            "detail": "active virtual environment",
            "flare_version": "2.9.0"
          },
          "changed": []
        }
        "#);
    }
}
