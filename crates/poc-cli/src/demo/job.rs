//! The job: a folder in NVFlare's format, written for one run.
//!
//! What it does is in the Python files of `job/`; here is only what differs between runs.

use std::io;

use camino::Utf8Path;
use poc_core::fsio;
use serde_json::{Value, json};

/// The job's name, which NVFlare shows and which its folder has.
pub(crate) const NAME: &str = "poc-demo";

/// The model of the last round, in the run directory of the job's server process.
pub(crate) const MODEL_FILE: &str = "global-model.json";

const CLIENT_CONFIG: &str = include_str!("job/config_fed_client.json");

/// The application's Python files. The server's and the sites' are in one application, as NVFlare
/// deploys it to all.
const SCRIPTS: [(&str, &str); 3] = [
    ("logistic.py", include_str!("job/logistic.py")),
    ("hospital_client.py", include_str!("job/hospital_client.py")),
    ("hospital_server.py", include_str!("job/hospital_server.py")),
];

/// Writes the job folder, `dir`, for so many sites and rounds, over the records in `data_dir`
/// (absolute).
pub(crate) fn write(
    dir: &Utf8Path,
    sites: usize,
    rounds: u32,
    data_dir: &Utf8Path,
) -> io::Result<()> {
    let config = dir.join("app/config");
    let custom = dir.join("app/custom");
    fsio::create_dir_private(&config)?;
    fsio::create_dir_private(&custom)?;

    write_json(&dir.join("meta.json"), &meta(sites))?;
    write_json(
        &config.join("config_fed_server.json"),
        &server_config(sites, rounds),
    )?;
    fsio::write_new(
        &config.join("config_fed_client.json"),
        CLIENT_CONFIG.as_bytes(),
        0o600,
    )?;
    // A file and not an argument of the script: NVFlare splits those at every blank, and a path may
    // hold some.
    write_json(
        &custom.join("settings.json"),
        &json!({ "data_dir": data_dir }),
    )?;
    for (name, text) in SCRIPTS {
        fsio::write_new(&custom.join(name), text.as_bytes(), 0o600)?;
    }
    Ok(())
}

/// Every site takes part, and the job does not start with fewer.
fn meta(sites: usize) -> Value {
    json!({
        "name": NAME,
        "resource_spec": {},
        "deploy_map": { "app": ["@ALL"] },
        "min_clients": sites,
    })
}

fn server_config(sites: usize, rounds: u32) -> Value {
    json!({
        "format_version": 2,
        // Seconds between a site's questions for work. A round takes milliseconds, NVFlare's
        // default two seconds.
        "server": { "task_request_interval": 0.1 },
        "workflows": [{
            "id": "fedavg",
            "path": "hospital_server.HospitalFedAvg",
            "args": { "num_clients": sites, "num_rounds": rounds },
        }],
        "components": [],
    })
}

fn write_json(path: &Utf8Path, value: &Value) -> io::Result<()> {
    fsio::write_new(path, format!("{value:#}\n").as_bytes(), 0o600)
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    #[test]
    fn the_folder_is_a_job() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::try_from(temp.path().join("a job")).unwrap();
        write(&dir, 3, 8, Utf8Path::new("/some where/data")).unwrap();

        let read = |name: &str| fs_err::read_to_string(dir.join(name)).unwrap();
        let client: Value =
            serde_json::from_str(&read("app/config/config_fed_client.json")).unwrap();
        let script = client["executors"][0]["executor"]["args"]["task_script_path"]
            .as_str()
            .unwrap();
        assert!(
            dir.join("app/custom").join(script).is_file(),
            "{script} is not in the job"
        );
        insta::assert_snapshot!(read("meta.json"), @r#"
        {
          "name": "poc-demo",
          "resource_spec": {},
          "deploy_map": {
            "app": [
              "@ALL"
            ]
          },
          "min_clients": 3
        }
        "#);
        insta::assert_snapshot!(read("app/config/config_fed_server.json"), @r#"
        {
          "format_version": 2,
          "server": {
            "task_request_interval": 0.1
          },
          "workflows": [
            {
              "id": "fedavg",
              "path": "hospital_server.HospitalFedAvg",
              "args": {
                "num_clients": 3,
                "num_rounds": 8
              }
            }
          ],
          "components": []
        }
        "#);
        insta::assert_snapshot!(read("app/custom/settings.json"), @r#"
        {
          "data_dir": "/some where/data"
        }
        "#);
    }

    #[test]
    fn the_job_writes_what_the_demo_reads() {
        let server = SCRIPTS[2].1;
        assert!(server.contains(MODEL_FILE));
        assert!(server.contains(super::super::progress::FILE));
        assert!(server.contains("class HospitalFedAvg"));
    }
}
