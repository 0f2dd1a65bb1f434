//! For which line of NVFlare a kit was made, judged by what is in it.

use serde_json::Value;

use super::Kit;
use crate::version::Line;

/// Judges a server's kit; `None` where it does not tell.
///
/// What tells the lines apart: the old logging file (up to 2.5), the agent that named the server
/// (up to 2.7), the key of the admin address (`admin_host` up to 2.6), and a right that the policy of
/// 2.9 has and that of 2.8 has not.
pub(super) fn judge_line(server: &Kit) -> Option<Line> {
    let local = server.local();
    if local.join("log.config.default").is_file() || local.join("log.config").is_file() {
        return Some(Line::V2_5);
    }
    let text = fs_err::read_to_string(server.role_file()).ok()?;
    let role_file: Value = serde_json::from_str(&text).ok()?;
    let first = role_file.get("servers")?.get(0)?;
    if role_file.get("overseer_agent").is_some() {
        return Some(if first.get("admin_host").is_some() {
            Line::V2_6
        } else {
            Line::V2_7
        });
    }
    let policy = ["authorization.json.default", "authorization.json"];
    let policy = policy
        .iter()
        .find_map(|name| fs_err::read_to_string(local.join(name)).ok())?;
    Some(if policy.contains("server-predeployed-flwr") {
        Line::V2_9
    } else {
        Line::V2_8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Role;
    use camino::Utf8Path;

    fn judge(files: &[(&str, &str)]) -> Option<Line> {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        for (name, content) in files {
            let path = dir.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        }
        judge_line(&Kit {
            name: "server".into(),
            role: Role::Server,
            org: "x".into(),
            dir: dir.to_owned(),
        })
    }

    #[test]
    fn each_line_has_its_mark() {
        let json = "startup/fed_server.json";
        let policy = "local/authorization.json.default";
        let agent = r#"{"servers":[{"admin_host":"server"}],"overseer_agent":{}}"#;
        assert_eq!(
            judge(&[("local/log.config.default", ""), (json, agent)]),
            Some(Line::V2_5)
        );
        assert_eq!(judge(&[(json, agent)]), Some(Line::V2_6));
        assert_eq!(
            judge(&[(json, &agent.replace("admin_host", "admin_server"))]),
            Some(Line::V2_7)
        );
        let newer = r#"{"servers":[{"admin_server":"server"}]}"#;
        assert_eq!(judge(&[(json, newer), (policy, "{}")]), Some(Line::V2_8));
        assert_eq!(
            judge(&[
                (json, newer),
                (policy, r#"{"server-predeployed-flwr":"none"}"#)
            ]),
            Some(Line::V2_9)
        );
    }

    #[test]
    fn what_does_not_tell_is_not_guessed() {
        assert_eq!(judge(&[]), None);
        assert_eq!(judge(&[("startup/fed_server.json", "{")]), None);
        assert_eq!(
            judge(&[("startup/fed_server.json", r#"{"servers":[{}]}"#)]),
            None
        );
    }
}
