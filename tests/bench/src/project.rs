//! One project in a form that both sides read.

use std::fmt::Write as _;

/// Participants that are no site: the server and three admins.
const OTHERS: u32 = 4;

/// A project.yml with so many sites, whose server listens on `port`.
pub(crate) fn text(sites: u32, port: u16) -> String {
    let sites: String = (1..=sites).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "- {{name: site-{number}, type: client, org: nvidia}}");
        text
    });
    format!(
        "api_version: 3
name: example_project
description: measured
participants:
- {{name: server, type: server, org: nvidia, fed_learn_port: {port}, admin_port: {port}, default_host: localhost}}
- {{name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}}
- {{name: org-admin@nvidia.com, type: admin, org: nvidia, role: org_admin}}
- {{name: lead@nvidia.com, type: admin, org: nvidia, role: lead}}
{sites}builders:
- {{path: nvflare.lighter.impl.workspace.WorkspaceBuilder}}
- {{path: nvflare.lighter.impl.static_file.StaticFileBuilder, args: {{config_folder: config}}}}
- {{path: nvflare.lighter.impl.cert.CertBuilder}}
- {{path: nvflare.lighter.impl.signature.SignatureBuilder}}
"
    )
}

/// The RSA keys that preparing it takes: one a participant, and the authority's.
pub(crate) const fn keys(sites: u32) -> u32 {
    sites + OTHERS + 1
}
