//! An admin's kit.

use poc_core::project::{Admin, Participant};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Federation, File, client, connection_security, fill, local, script};
use crate::{Error, json};

/// fed_admin.json
#[derive(Serialize)]
struct FedAdmin<'a> {
    format_version: u32,
    admin: Itself<'a>,
}

#[derive(Serialize)]
struct Itself<'a> {
    project_name: &'a str,
    username: &'a str,
    server_identity: &'a str,
    scheme: &'a str,
    host: &'a str,
    port: u16,
    connection_security: String,
    /// `cert`: who the user is says the certificate's common name, and nobody asks.
    uid_source: &'a str,
    with_file_transfer: bool,
    upload_dir: &'a str,
    download_dir: &'a str,
    client_key: &'a str,
    client_cert: &'a str,
    ca_cert: &'a str,
}

pub(super) fn settings(
    federation: &Federation<'_>,
    participant: &Participant,
    admin: &Admin,
) -> Result<Vec<File>, Error> {
    let (host, port) = client::target(federation, admin.connect_to.as_ref(), federation.admin_port);
    let own_security = participant
        .extra
        .get("connection_security")
        .and_then(|value| value.as_text());
    let role_file = FedAdmin {
        format_version: 1,
        admin: Itself {
            project_name: &federation.project.name,
            username: "",
            server_identity: &federation.project.server().name,
            scheme: &federation.scheme,
            host,
            port,
            connection_security: connection_security(federation, own_security),
            uid_source: "cert",
            with_file_transfer: true,
            upload_dir: "transfer",
            download_dir: "transfer",
            client_key: "client.key",
            client_cert: "client.crt",
            ca_cert: "rootCA.pem",
        },
    };
    let values = [
        ("NAME", participant.name.as_str()),
        ("PROJECT", &federation.project.name),
    ];
    Ok(vec![
        File::plain("startup/fed_admin.json", json::to_ascii(&role_file)?),
        script::console(),
        File::plain(
            "startup/readme.txt",
            fill(include_str!("text/admin.txt"), &values),
        ),
        File::plain(
            "startup/system_info.ipynb",
            json::to_ascii(&notebook(&participant.name))?,
        ),
        local::admin(federation)?,
    ])
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
