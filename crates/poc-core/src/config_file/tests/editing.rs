use super::*;

/// The text after an edit; also that it still parses as it is.
fn edited(text: &str, edit: impl FnOnce(&mut ConfigFile)) -> String {
    let mut file = parse(text);
    edit(&mut file);
    assert_eq!(file.spoiled, None, "{text:?}");
    parse(file.text());
    file.text().to_owned()
}

fn set(text: &str, key: &[&str], value: &str) -> String {
    let edited = edited(text, |file| file.set(key, value));
    assert_eq!(get(&edited, key).as_deref(), Some(value), "{edited:?}");
    edited
}

fn remove(text: &str, key: &[&str]) -> String {
    edited(text, |file| assert!(file.remove(key), "{text:?}"))
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    for (text, expected) in [
        ("a = x", "a = \"v\""),
        ("# top\na : x // note\nb=1", "# top\na : \"v\" // note\nb=1"),
        ("a=x,b=1", "a=\"v\",b=1"),
        ("a = x \\\n  y\nb = 1", "a = \"v\"\nb = 1"),
        ("a = ${b}/x # note\nb=1", "a = \"v\" # note\nb=1"),
        ("a =\n", "a = \"v\"\n"),
        ("a += x\n", "a = \"v\"\n"),
        ("a = 1\na = 2\n", "a = 1\na = \"v\"\n"),
        ("a = null\r\nb = 1\r\n", "a = \"v\"\r\nb = 1\r\n"),
        ("a = \"\"\"x\ny\"\"\" # note", "a = \"v\" # note"),
        ("a = [1, 2]\n", "a = \"v\"\n"),
    ] {
        assert_eq!(set(text, &["a"], "v"), expected, "{text:?}");
    }
}

#[test]
fn a_new_key_comes_last_in_its_object_in_that_object_s_style() {
    for (text, expected) in [
        ("", "a {\n  b = \"v\"\n}\n"),
        ("# mine\n", "# mine\na {\n  b = \"v\"\n}\n"),
        ("x = 1", "x = 1\na {\n  b = \"v\"\n}\n"),
        ("x = 1\r\n", "x = 1\r\na {\r\n  b = \"v\"\r\n}\r\n"),
        ("{}", "{\n  a {\n    b = \"v\"\n  }\n}"),
        (
            "{\n  x = 1\n}\n",
            "{\n  x = 1\n  a {\n    b = \"v\"\n  }\n}\n",
        ),
        ("{ x = 1 }", "{ x = 1, a { b = \"v\" } }"),
        ("a { c = 1 }\nx = 1\n", "a { c = 1, b = \"v\" }\nx = 1\n"),
        ("a { c = 1, }\n", "a { c = 1, b = \"v\", }\n"),
        (
            "a {\n\tc = 1 # note\n}\n",
            "a {\n\tc = 1 # note\n\tb = \"v\"\n}\n",
        ),
        ("a {\n  c = 1 }\n", "a {\n  c = 1, b = \"v\" }\n"),
        ("a {}\n", "a { b = \"v\" }\n"),
        ("a {\n  # note\n}\n", "a {\n  # note\n  b = \"v\"\n}\n"),
        ("a { c { d = 1 } }", "a { c { d = 1 }, b = \"v\" }"),
        (
            "a { c = 1 }\na { d = 1 }\n",
            "a { c = 1 }\na { d = 1, b = \"v\" }\n",
        ),
        ("a.c = 1\n", "a.c = 1\na {\n  b = \"v\"\n}\n"),
        // A key without a value would take the new line for it.
        ("x =\n", "x = \"\"\na {\n  b = \"v\"\n}\n"),
        ("x = # note", "x = \"\" # note\na {\n  b = \"v\"\n}\n"),
        ("{ x = }", "{ x = \"\", a { b = \"v\" } }"),
        // pyhocon refuses to merge an object into a plain value.
        ("a = /old # note\n", "# note\na {\n  b = \"v\"\n}\n"),
    ] {
        assert_eq!(set(text, &["a", "b"], "v"), expected, "{text:?}");
    }
}

#[test]
fn an_object_gives_way_to_a_value_as_a_whole() {
    assert_eq!(
        set("a { b = 1 }\nx = 1\na.c = 2\n", &["a"], "v"),
        "x = 1\na = \"v\"\n"
    );
}

#[test]
fn keys_with_letters_that_mean_something_are_quoted() {
    assert_eq!(
        set("e {\n}\n", &["e", "admin@nvidia.com"], "/x"),
        "e {\n  \"admin@nvidia.com\" = \"/x\"\n}\n"
    );
}

#[test]
fn a_removed_key_takes_its_line_and_its_comma_but_no_comment() {
    for (text, expected) in [
        ("a = 1\n", ""),
        ("a = 1", ""),
        ("x = 1\n  a = 1\ny = 1\n", "x = 1\ny = 1\n"),
        (
            "# above\na = 1 # beside\ny = 1\n",
            "# above\n# beside\ny = 1\n",
        ),
        ("x = 1, a = 1, y = 1", "x = 1, y = 1"),
        ("{ x = 1, a = 1 }", "{ x = 1 }"),
        ("{ a = 1, x = 1 }", "{ x = 1 }"),
        ("a = 1,\nx = 1\n", "x = 1\n"),
        ("a = 1\nx = 1\na = 2\n", "x = 1\n"),
        ("a { b = 1\n # in\n}\nx = 1\n", "x = 1\n"),
        ("a.b = 1\na.c = 1\nx = 1\n", "x = 1\n"),
        ("x = 1\r\na = 1\r\ny = 1\r\n", "x = 1\r\ny = 1\r\n"),
    ] {
        assert_eq!(remove(text, &["a"]), expected, "{text:?}");
    }
    assert!(!parse("x = 1").remove(&["a"]));
    assert!(!parse("a { x = 1 }").remove(&["a", "b"]));
}

#[test]
fn an_object_goes_with_its_last_key_unless_a_comment_is_left() {
    assert_eq!(
        remove("a {\n  b {\n    c = 1\n  }\n}\nx = 1\n", &["a", "b", "c"]),
        "x = 1\n"
    );
    assert_eq!(
        remove("a {\n  # mine\n  b = 1\n}\n", &["a", "b"]),
        "a {\n  # mine\n}\n"
    );
    assert_eq!(remove("a { b = 1, c = 1 }\n", &["a", "b"]), "a { c = 1 }\n");
}

#[test]
fn setting_what_is_there_changes_nothing() {
    let text = "# x\n a : \"v\"\t// y\n";
    assert_eq!(set(text, &["a"], "v"), text);
    let mut file = parse(text);
    file.set(&["a"], "v");
    assert!(!file.is_changed());
}

#[test]
fn what_is_set_comes_after_every_include() {
    let set = |text: &str| {
        let mut file = parse(text);
        file.set(&["poc", "workspace"], "/w");
        assert_eq!(
            file.get(&["poc", "workspace"])
                .map(|value| value.text)
                .as_deref(),
            Some("/w")
        );
        file.text().to_owned()
    };
    let lines = "poc {\n  workspace = \"/w\"\n}\n";
    assert_eq!(
        set("poc.workspace = /old\ninclude \"x\"\nb = 1\n"),
        format!("include \"x\"\nb = 1\n{lines}")
    );
    assert_eq!(
        set("include \"x\"\npoc.workspace = /old\n"),
        "include \"x\"\npoc.workspace = \"/w\"\n"
    );
    assert_eq!(
        set("a = 1\ninclude \"x\""),
        format!("a = 1\ninclude \"x\"\n{lines}")
    );
    assert_eq!(
        set("{\n  include \"x\"\n}\n"),
        "{\n  include \"x\"\n  poc {\n    workspace = \"/w\"\n  }\n}\n"
    );
}
