//! An admin's kit.

use poc_core::project::Participant;
use serde_json::{Value, json};

use super::{Federation, File, client, fill, local, script, security, template};
use crate::{Error, json};

/// What the readme says of the notebook, in a kit that has one.
const NOTEBOOK_LINE: &str =
    "system_info.ipynb         a notebook that asks the running system how it is\n";

pub(super) fn settings(
    federation: &Federation<'_>,
    participant: &Participant,
) -> Result<Vec<File>, Error> {
    let (host, port) = client::target(federation, participant, federation.admin_port);
    let values = security::with(federation.values(), federation, participant)
        .with("NAME", participant.name.as_str())
        .with("HOST", host)
        .with("PORT", port);
    let role_file = template::fill(federation.profile.fed_admin, &values)?;
    let has_notebook = federation.profile.has_notebook;
    let values = [
        ("NAME", participant.name.as_str()),
        ("PROJECT", &federation.project.name),
        ("NOTEBOOK", if has_notebook { NOTEBOOK_LINE } else { "" }),
    ];
    let mut files = vec![
        File::plain("startup/fed_admin.json", json::to_ascii(&role_file)?),
        script::console(),
    ];
    if has_notebook {
        files.push(File::plain(
            "startup/system_info.ipynb",
            json::to_ascii(&notebook(&participant.name))?,
        ));
    }
    files.push(File::plain(
        "startup/readme.txt",
        fill(include_str!("text/admin.txt"), &values),
    ));
    files.extend(local::admin(federation));
    Ok(files)
}

/// A notebook that shows the system through the FLARE API. Jupyter runs it in `startup/`.
fn notebook(user: &str) -> Value {
    let text = |id: &str, lines: &[&str]| json!({ "cell_type": "markdown", "id": id, "metadata": {}, "source": lines.join("\n") });
    let code = |id: &str, lines: &[&str]| {
        json!({
            "cell_type": "code", "execution_count": null, "id": id, "metadata": {}, "outputs": [],
            "source": lines.join("\n"),
        })
    };
    let open = [
        "from pathlib import Path",
        "",
        "from nvflare.fuel.flare_api.flare_api import new_secure_session",
        "",
        // A JSON string is a Python string.
        &format!(
            "session = new_secure_session({}, str(Path.cwd().parent))",
            json!(user)
        ),
        "print(session.get_system_info())",
    ];
    json!({
        "cells": [
            text("about", &[
                "# System info",
                "",
                "How the running federation is, asked through the FLARE API.",
                "",
                "The kernel needs the `nvflare` package of the line that this kit was made for, and the",
                "server must be running (`poc start`). The notebook finds its kit as the directory above",
                "the one that it lies in.",
            ]),
            code("open", &open),
            text("jobs-text", &["## Jobs"]),
            code("jobs", &["for job in session.list_jobs():", "    print(job)"]),
            text("close-text", &["A session holds a connection: close it when you are done."]),
            code("close", &["session.close()"]),
        ],
        "metadata": {
            "kernelspec": { "display_name": "Python 3", "language": "python", "name": "python3" },
            "language_info": { "name": "python" },
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    })
}
