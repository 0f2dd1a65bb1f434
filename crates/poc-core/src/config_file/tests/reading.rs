use super::*;
use crate::Hint;

#[test]
fn the_documented_file_of_2_4() {
    let file = parse(include_str!("../../../tests/data/config-2.4.conf"));
    let workspace = file.get(&["poc_workspace", "path"]).unwrap();
    assert_eq!(
        (workspace.text.as_str(), workspace.line),
        ("/tmp/nvflare/poc", 6)
    );
    let kit = file.get(&["startup_kit", "path"]).unwrap();
    assert_eq!(
        (kit.text.as_str(), kit.line),
        ("/tmp/nvflare/poc/example_project/prod_00", 2)
    );
}

#[test]
fn the_file_that_2_9_writes() {
    let file = parse(include_str!("../../../tests/data/config-2.9.conf"));
    assert_eq!(file.get(&["version"]).unwrap().text, "2");
    assert_eq!(
        file.get(&["startup_kits", "active"]).unwrap().text,
        "admin@nvidia.com"
    );
    let entries: Vec<String> = file
        .entries(&["startup_kits", "entries"])
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(
        entries,
        [
            "admin@nvidia.com",
            "org-admin@nvidia.com",
            "lead@nvidia.com"
        ]
    );
    assert_eq!(
        file.get(&["startup_kits", "entries", "lead@nvidia.com"])
            .unwrap(),
        Value {
            text: "/tmp/nvflare/poc/example_project/prod_00/lead@nvidia.com".into(),
            line: 7
        }
    );
}

#[test]
fn values_read_as_pyhocon_reads_them() {
    for (text, expected) in [
        ("a = x", "x"),
        ("a:x:y", "x:y"),
        ("a = /tmp/a b/c   # note", "/tmp/a b/c"),
        ("a = /x // note", "/x"),
        ("a = http://x", "http://x"),
        ("a = \"x # y\" # note", "x # y"),
        ("a = \"/x\" /y", "/x /y"),
        ("a = \"x\" \"y\"", "x y"),
        ("a\n=\n1", "1"),
        ("a # note\n = # note\n 1", "1"),
        ("a = x \\\n y", "x y"),
        ("a = \"\"\"x\ny\"\"\" z", "x\nyz"),
        ("a = \"\"\"x\"\"\"\"", "x\""),
        ("a = \"\"", ""),
        ("a =", ""),
        ("a = \"null\"", "null"),
        (r#"a = "q\"b\\s\n\t""#, "q\"b\\s\n\t"),
        // pyhocon leaves escapes that it does not know.
        (r#"a = "\u00e9\/""#, "\\u00e9\\/"),
        (r"a = x\=y", "x=y"),
        ("a = ~/x", "~/x"),
        ("a = münchen", "münchen"),
        ("a = x\r\n", "x"),
        ("{a=1}", "1"),
        ("{\n,a=1,,}", "1"),
        ("a = \"${b}\"", "${b}"),
        ("a = 1\na = 2", "2"),
        ("b { c = 1 } a = 2", "2"),
    ] {
        assert_eq!(get(text, &["a"]).as_deref(), Some(expected), "{text:?}");
    }
}

#[test]
fn keys_and_objects() {
    for (text, key) in [
        ("a { b = x }", vec!["a", "b"]),
        ("a.b = x", vec!["a", "b"]),
        ("a..b. = x", vec!["a", "b"]),
        ("a = { b : x }", vec!["a", "b"]),
        ("a { c = 1 }\na { b = x }", vec!["a", "b"]),
        ("a = { c = 1 } { b = x }", vec!["a", "b"]),
        ("\"a.b\" = x", vec!["a.b"]),
        ("a b = x", vec!["a b"]),
        ("a { \"b@c.d\" = x }", vec!["a", "b@c.d"]),
        ("é = x", vec!["é"]),
        ("include = x", vec!["include"]),
        ("a = 1\nb { a = x }", vec!["b", "a"]),
    ] {
        assert_eq!(get(text, &key).as_deref(), Some("x"), "{text:?}");
    }
    // A later plain value beats an object, and null beats both.
    assert_eq!(get("a { b = x }\na = 1", &["a", "b"]), None);
    assert_eq!(get("a = x\na = NULL", &["a"]), None);
    assert_eq!(get("a = [x]", &["a"]), None);
    assert_eq!(get("a { b = x }", &["a"]), None);
    assert_eq!(
        parse("include \"x\"\n\ninclude required(file(\"y\"))").include_lines(),
        [1, 3]
    );
}

#[test]
fn what_does_not_parse_names_the_line_and_the_reason() {
    let cases = [
        "a = 1\nb {\n c = 2\n",
        "a = 1\n}\n",
        "{\n a = 1\n}\nb = 2",
        "a = \"x\n",
        "a = \"\"\"x\ny",
        "a = x@y",
        "a = $x",
        "a = ${x",
        "a = ${}",
        "\nmia@x = 1",
        "a.\"b.c\" = 1",
        "\"\" = 1",
        "a = [1, 2\n",
        "a = [1 }",
        "a",
        "a = 1 b = 2",
        "[1]",
        "\u{feff}a = 1",
        "a = x\ny\u{a0}z = 1",
        "a = 1\na { b = 2 }",
        "a = { b = 1 } x",
        "' = 1",
    ];
    let shown: Vec<String> = cases
        .iter()
        .map(|text| format!("{text:?}\n  {}", refused(text)))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    "a = 1\nb {\n c = 2\n"
      config.conf:2: the `{` here is never closed
    "a = 1\n}\n"
      config.conf:2: a `}` with no `{` before it
    "{\n a = 1\n}\nb = 2"
      config.conf:4: `b` after the closing `}` of the file
    "a = \"x\n"
      config.conf:1: the double quote here is never closed
    "a = \"\"\"x\ny"
      config.conf:1: the three double quotes here are never closed
    "a = x@y"
      config.conf:1: a value with `@` needs double quotes
    "a = $x"
      config.conf:1: a value with `$` needs double quotes
    "a = ${x"
      config.conf:1: the `${` here is never closed
    "a = ${}"
      config.conf:1: `${}` names nothing
    "\nmia@x = 1"
      config.conf:2: `@` in or after the key `mia`; a key of such letters needs double quotes
    "a.\"b.c\" = 1"
      config.conf:1: the key `a.` goes on with a quoted part, which NVFlare does not read; use braces
    "\"\" = 1"
      config.conf:1: a key is empty
    "a = [1, 2\n"
      config.conf:1: the `[` here is never closed
    "a = [1 }"
      config.conf:1: a `}` inside a list
    "a"
      config.conf:1: the key `a` has no value
    "a = 1 b = 2"
      config.conf:1: a value with `=` needs double quotes
    "[1]"
      config.conf:1: the file holds a list, where keys are expected
    "\u{feff}a = 1"
      config.conf:1: the file begins with a byte order mark, which NVFlare does not read
    "a = x\ny\u{a0}z = 1"
      config.conf:2: ` ` in or after the key `y`; a key of such letters needs double quotes
    "a = 1\na { b = 2 }"
      config.conf:2: `a` is an object here but a plain value in line 1
    "a = { b = 1 } x"
      config.conf:1: an object and text in one value
    "' = 1"
      config.conf:1: `'` where a key is expected
    "#);
    let deep = "a{".repeat(100_000);
    assert!(refused(&deep).contains("too many objects"));
}

#[test]
fn a_file_that_does_not_parse_has_a_remedy() {
    let error = ConfigFile::parse(Utf8Path::new("/h/.nvflare/config.conf"), "a = \"").unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.hints().join("\n")), @r"
    /h/.nvflare/config.conf:1: the double quote here is never closed
    correct that line, or move /h/.nvflare/config.conf aside and run `poc prepare`, which writes a new one
    ");
}

#[test]
fn references_lead_to_keys_then_to_the_environment() {
    let env = Env::from_pairs([("HOME", "/home/mia"), ("EMPTY", "")]);
    let work_out = |text: &str| {
        parse(text)
            .evaluate(&["a"], &env)
            .map(|value| value.map(|value| value.text))
    };
    for (text, expected) in [
        ("a = ${b}/x\nb = /y", "/y/x"),
        ("a = ${HOME}/x y # note", "/home/mia/x y"),
        ("a = ${b} \"/x\" \nb = ${c.d}\nc { d = \"/é\" }", "/é /x"),
        ("a = \"/w\" ${b}\nb = /x // note", "/w /x"),
        ("a = ${?nope}/x", "/x"),
        ("a = ${?nope}", ""),
        ("a = ${b}/x\nb = null", "/x"),
        ("c { d = /x }\na = ${c.d}/y", "/x/y"),
        ("\"m@x\" = 1\na = ${\"m@x\"}/x", "1/x"),
        ("a = ${HOME}${HOME}", "/home/mia/home/mia"),
        ("HOME = /other\na = ${HOME}", "/other"),
    ] {
        assert_eq!(
            work_out(text).unwrap().as_deref(),
            Some(expected),
            "{text:?}"
        );
    }
    let cases = [
        "a = ${nope}/x",
        "a = ${EMPTY}/x",
        "a = ${a}/x",
        "a = ${b}\nb = ${c}\nc = ${b}",
        "a = ${b}\nb { c = 1 }",
        "a = 1\na += 2",
        "a = ${b} [1]",
    ];
    let shown: Vec<String> = cases
        .iter()
        .map(|text| format!("{text:?}\n  {}", work_out(text).unwrap_err()))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    "a = ${nope}/x"
      config.conf:1: the value of `a` cannot be worked out: `nope` is neither a key of the file nor an environment variable
    "a = ${EMPTY}/x"
      config.conf:1: the value of `a` cannot be worked out: `EMPTY` is neither a key of the file nor an environment variable
    "a = ${a}/x"
      config.conf:1: the value of `a` cannot be worked out: `a` refers to itself
    "a = ${b}\nb = ${c}\nc = ${b}"
      config.conf:1: the value of `a` cannot be worked out: `b` refers to itself
    "a = ${b}\nb { c = 1 }"
      config.conf:1: the value of `a` cannot be worked out: it is not text
    "a = 1\na += 2"
      config.conf:2: the value of `a` cannot be worked out: `+=` is not supported here
    "a = ${b} [1]"
      config.conf:1: the value of `a` cannot be worked out: `b` is neither a key of the file nor an environment variable
    "#);
    // Without an environment there is nothing to be had, and no error.
    assert_eq!(get("a = ${HOME}/x", &["a"]), None);
}

#[test]
fn an_include_is_one_file_in_quotes_and_nothing_more() {
    for text in [
        "include \"a } b.conf\"\n",
        "{ include file(\"a.conf\") }",
        "include required( url( \"http://x/y\" ) ) # note\na = 1",
        "a = 1, include \"x\", b = 2",
    ] {
        assert_eq!(parse(text).include_lines().len(), 1, "{text}");
    }
    for (text, reason) in [
        ("include \"a\" b\n", "`b` behind an `include`"),
        ("include \"a\n", "never closed"),
        ("include file(\"a\"\n", "a `)` is expected"),
    ] {
        assert!(refused(text).contains(reason), "{}", refused(text));
    }
}
