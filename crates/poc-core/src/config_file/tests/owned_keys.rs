use super::*;

fn admins(prod: &Utf8Path, names: &[&str]) -> Vec<(String, Utf8PathBuf)> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), prod.join(name)))
        .collect()
}

fn point(file: &mut ConfigFile, workspace: &str, names: &[&str]) -> Pointed {
    let workspace = Utf8Path::new(workspace);
    let prod = workspace.join("example_project/prod_00");
    file.point_at(workspace, &prod, &admins(&prod, names), names[0])
}

#[test]
fn a_new_file_has_both_generations_side_by_side() {
    let mut file = parse("");
    point(
        &mut file,
        "/tmp/my poc",
        &["admin@nvidia.com", "lead@nvidia.com"],
    );
    insta::assert_snapshot!(file.text(), @r#"
    version = 2
    startup_kit {
      path = "/tmp/my poc/example_project/prod_00/admin@nvidia.com"
    }
    poc_workspace {
      path = "/tmp/my poc"
    }
    poc {
      workspace = "/tmp/my poc"
    }
    startup_kits {
      active = "admin@nvidia.com"
      entries {
        "admin@nvidia.com" = "/tmp/my poc/example_project/prod_00/admin@nvidia.com"
        "lead@nvidia.com" = "/tmp/my poc/example_project/prod_00/lead@nvidia.com"
      }
    }
    "#);
}

#[test]
fn with_one_admin_the_startup_kit_is_the_prod_directory() {
    let mut file = parse("");
    point(&mut file, "/w", &["admin@nvidia.com"]);
    assert_eq!(
        file.get(&["startup_kit", "path"]).unwrap().text,
        "/w/example_project/prod_00"
    );
}

#[test]
fn what_is_not_ours_stays_byte_for_byte() {
    let before = "# my settings\njob_template { path = /home/mia/templates }  # keep\n\npoc_workspace {\n  path = /old // was here\n}\nmine = [1, 2]\n";
    let mut file = parse(before);
    point(&mut file, "/w", &["admin@nvidia.com"]);
    insta::assert_snapshot!(file.text(), @r#"
    # my settings
    job_template { path = /home/mia/templates }  # keep

    poc_workspace {
      path = "/w" // was here
    }
    mine = [1, 2]
    version = 2
    startup_kit {
      path = "/w/example_project/prod_00"
    }
    poc {
      workspace = "/w"
    }
    startup_kits {
      active = "admin@nvidia.com"
      entries {
        "admin@nvidia.com" = "/w/example_project/prod_00/admin@nvidia.com"
      }
    }
    "#);
}

#[test]
fn the_file_of_2_9_keeps_its_shape() {
    let mut file = parse(include_str!("../../../tests/data/config-2.9.conf"));
    point(&mut file, "/w", &["admin@nvidia.com", "lead@nvidia.com"]);
    insta::assert_snapshot!(file.text(), @r#"
    {
      version = 2
      startup_kits {
        entries {
          "admin@nvidia.com" = "/w/example_project/prod_00/admin@nvidia.com"
          "lead@nvidia.com" = "/w/example_project/prod_00/lead@nvidia.com"
        }
        active = "admin@nvidia.com"
      }
      poc {
        workspace = "/w"
      }
      startup_kit {
        path = "/w/example_project/prod_00/admin@nvidia.com"
      }
      poc_workspace {
        path = "/w"
      }
    }
    "#);
}

#[test]
fn the_file_of_2_5_to_2_7_keeps_its_shape() {
    let mut file = parse(include_str!("../../../tests/data/config-2.6.conf"));
    point(&mut file, "/w", &["admin@nvidia.com"]);
    insta::assert_snapshot!(file.text(), @r#"
    startup_kit {
        path = "/w/example_project/prod_00"
    }
    poc_workspace {
        path = "/w"
    }
    version = 2
    poc {
      workspace = "/w"
    }
    startup_kits {
      active = "admin@nvidia.com"
      entries {
        "admin@nvidia.com" = "/w/example_project/prod_00/admin@nvidia.com"
      }
    }
    "#);
}

#[test]
fn pointing_twice_changes_nothing() {
    let mut file = parse("");
    point(&mut file, "/w", &["admin@nvidia.com", "lead@nvidia.com"]);
    let once = file.text().to_owned();
    let pointed = point(&mut file, "/w", &["admin@nvidia.com", "lead@nvidia.com"]);
    assert_eq!(file.text(), once);
    assert_eq!(pointed.previous, None);
}

#[test]
fn the_workspace_before_loses_its_registrations() {
    let mut file = parse("");
    point(&mut file, "/one", &["admin@nvidia.com", "lead@nvidia.com"]);
    let pointed = point(&mut file, "/two", &["boss@nvidia.com"]);
    assert_eq!(pointed.previous.as_deref(), Some(Utf8Path::new("/one")));
    let ids: Vec<String> = file
        .entries(&["startup_kits", "entries"])
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(ids, ["boss@nvidia.com"]);
    assert_eq!(
        file.get(&["startup_kits", "active"]).unwrap().text,
        "boss@nvidia.com"
    );
}

#[test]
fn a_production_kit_keeps_its_id() {
    let dir = tempfile::tempdir().unwrap();
    let production = Utf8Path::from_path(dir.path())
        .unwrap()
        .join("prod/admin@nvidia.com");
    fs_err::create_dir_all(&production).unwrap();
    let registered =
        format!("startup_kits.entries {{ \"admin@nvidia.com\" = \"{production}\" }}\n");
    let mut file = parse(&registered);
    let pointed = point(&mut file, "/w", &["admin@nvidia.com"]);
    assert_eq!(pointed.active, "admin@nvidia.com-poc");
    assert_eq!(
        pointed.renamed,
        [(
            "admin@nvidia.com".to_owned(),
            "admin@nvidia.com-poc".to_owned()
        )]
    );
    assert_eq!(
        file.get(&["startup_kits", "entries", "admin@nvidia.com"])
            .unwrap()
            .text,
        production.as_str()
    );
    assert_eq!(
        file.get(&["startup_kits", "active"]).unwrap().text,
        "admin@nvidia.com-poc"
    );
    assert_eq!(
        point(&mut file, "/w", &["admin@nvidia.com"]),
        Pointed {
            previous: None,
            ..pointed
        }
    );
    // Gone from disk, it is nobody's any more.
    fs_err::remove_dir(&production).unwrap();
    assert_eq!(
        point(&mut file, "/w", &["admin@nvidia.com"]).active,
        "admin@nvidia.com"
    );
    assert_eq!(file.entries(&["startup_kits", "entries"]).len(), 1);
}

#[test]
fn forgetting_leaves_what_was_there_before() {
    let before = "# mine\njob_template { path = \"/t\" }\n";
    let mut file = parse(before);
    point(&mut file, "/w", &["admin@nvidia.com", "lead@nvidia.com"]);
    assert!(file.forget(Utf8Path::new("/w"), false));
    assert_eq!(file.text(), format!("{before}version = 2\n"));
    assert!(!file.forget(Utf8Path::new("/w"), false));
}

#[test]
fn forgetting_may_keep_the_path_and_never_touches_another_workspace() {
    let mut file = parse("");
    point(&mut file, "/w", &["admin@nvidia.com"]);
    let pointed_at_w = file.text().to_owned();
    assert!(!file.forget(Utf8Path::new("/w2"), false));
    assert!(!file.forget(Utf8Path::new("/w/example_project/prod_00/other"), false));
    assert_eq!(file.text(), pointed_at_w);
    assert!(file.forget(Utf8Path::new("/w"), true));
    insta::assert_snapshot!(file.text(), @r#"
    version = 2
    poc_workspace {
      path = "/w"
    }
    poc {
      workspace = "/w"
    }
    "#);
}

#[test]
fn config_pw_and_d() {
    let dir = tempfile::tempdir().unwrap();
    let kit = Utf8Path::from_path(dir.path()).unwrap().join("admin@x.org");
    fs_err::create_dir_all(kit.join("startup")).unwrap();
    let mut file = parse("");
    file.set_workspace(Utf8Path::new("/srv/poc"));
    file.set_startup_kit(&kit);
    assert_eq!(
        file.get(&["startup_kit", "path"]).unwrap().text,
        kit.as_str()
    );
    assert_eq!(file.get(&["startup_kits", "active"]), None);
    fs_err::File::create(kit.join("startup/fed_admin.json")).unwrap();
    file.set_startup_kit(&kit);
    assert_eq!(
        file.get(&["startup_kits", "active"]).unwrap().text,
        "admin@x.org"
    );
    assert_eq!(file.get(&["poc", "workspace"]).unwrap().text, "/srv/poc");
    assert_eq!(
        file.get(&["poc_workspace", "path"]).unwrap().text,
        "/srv/poc"
    );
}

#[test]
fn one_more_admin_and_one_less() {
    let kit = |name: &str| Utf8PathBuf::from(format!("/w/example_project/prod_00/{name}"));
    let lead = kit("admin@nvidia.com");
    let mut file = parse("# mine\n");
    point(&mut file, "/w", &["admin@nvidia.com"]);
    let before = file.text().to_owned();
    let id = file.register("/w".into(), "mia@x.org", &kit("mia@x.org"), &lead);
    assert_eq!(id.as_deref(), Some("mia@x.org"));
    let text = |key: &[&str], file: &ConfigFile| file.get(key).unwrap().text;
    assert_eq!(text(&["startup_kits", "active"], &file), "admin@nvidia.com");
    // A search of the prod directory could now find either.
    assert_eq!(text(&["startup_kit", "path"], &file), lead);

    file.set(&["startup_kits", "active"], "mia@x.org");
    file.set(
        &["startup_kit", "path"],
        kit("mia@x.org").join("startup").as_str(),
    );
    assert!(file.unregister(&kit("mia@x.org"), &lead));
    assert_eq!(text(&["startup_kits", "active"], &file), "admin@nvidia.com");
    assert_eq!(text(&["startup_kit", "path"], &file), lead);
    file.set(&["startup_kit", "path"], lead.parent().unwrap().as_str());
    assert_eq!(file.text(), before);
    assert!(!file.unregister(&kit("mia@x.org"), &lead));

    // Somebody else's workspace is none of our business.
    let id = file.register("/other".into(), "mia@x.org", &kit("mia@x.org"), &lead);
    assert_eq!((id, file.text()), (None, before.as_str()));
}
