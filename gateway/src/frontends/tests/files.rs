//! What manifests and assignments may say, and what is said of those that are wrong.

use expect_test::{Expect, expect};

use crate::config::File;
use crate::frontends::{assignment, manifest};

fn file(name: &str, text: &str) -> File {
    File { path: name.into(), text: text.to_owned() }
}

fn check_manifest(text: &str, expected: Expect) {
    let id = "web@2.5.0".parse().unwrap();
    let told = match manifest::read(&file("manifest.yaml", text), Some(&id)) {
        Ok(manifest) => format!("{manifest:#?}"),
        Err(mistakes) => mistakes.to_string(),
    };
    expected.assert_eq(&told);
}

fn check_app(text: &str, expected: Expect) {
    let app = "web".parse().unwrap();
    let told = match assignment::read(&file("app.yaml", text), Some(&app)) {
        Ok(app) => format!("{app:#?}"),
        Err(mistakes) => mistakes.to_string(),
    };
    expected.assert_eq(&told);
}

#[test]
fn a_manifest_says_what_a_version_was_built_for() {
    check_manifest(
        "app: web\nversion: 2.5.0\nstate: active\npins:\n  catalog: ^1.5\n  reviews: { range: '>=1.2, <2', optional: true }\n\
         caps: { catalog: 0.2, reviews: 5% }\npage: page/\ndocuments: operations\n",
        expect![[r#"
            Manifest {
                frontend: Frontend {
                    id: web@2.5.0,
                    state: Active,
                    pins: {
                        catalog: Pin {
                            range: VersionReq {
                                comparators: [
                                    Comparator {
                                        op: Caret,
                                        major: 1,
                                        minor: Some(
                                            5,
                                        ),
                                        patch: None,
                                        pre: Prerelease(""),
                                    },
                                ],
                            },
                            optional: false,
                        },
                        reviews: Pin {
                            range: VersionReq {
                                comparators: [
                                    Comparator {
                                        op: GreaterEq,
                                        major: 1,
                                        minor: Some(
                                            2,
                                        ),
                                        patch: None,
                                        pre: Prerelease(""),
                                    },
                                    Comparator {
                                        op: Less,
                                        major: 2,
                                        minor: None,
                                        patch: None,
                                        pre: Prerelease(""),
                                    },
                                ],
                            },
                            optional: true,
                        },
                    },
                    caps: {
                        catalog: Weight(
                            200000,
                        ),
                        reviews: Weight(
                            50000,
                        ),
                    },
                },
                page: Some(
                    "page",
                ),
                documents: Some(
                    "operations",
                ),
            }"#]],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "what is told of many mistakes is long")]
fn every_mistake_in_a_manifest_is_told_with_its_place() {
    check_manifest(
        "app: wob\nversion: 2.5\nstate: actve\npins:\n  catalog: latest\n  orders: ^1 || ^2\n  bad name: ^1\n  users: { rnge: ^1 }\n\
         caps: { catalg: 2, catalog: 120% }\npage: ../page\ndocuments: /etc\ncolour: red\n",
        expect![[r#"
            error: app is wob, and this is the place of web@2.5.0
              --> manifest.yaml:1:6
               |
            1  | app: wob
               |      ^^^ the directory of the app has its name

            error: version is no version by semver.org, such as "1.5.0": unexpected end of input while parsing minor version number
              --> manifest.yaml:2:10
               |
            2  | version: 2.5
               |          ^^^

            error: state cannot be `actve`
              --> manifest.yaml:3:8
               |
            3  | state: actve
               |        ^^^^^ did you mean `active`?

            error: `latest` is no range: unexpected character 'l' while parsing major version number
              --> manifest.yaml:5:12
               |
            5  |   catalog: latest
               |            ^^^^^^ write a range as in Cargo: ^1.4, ~1.4.2, =1.4.0, ">=1.4, <1.7"

            error: `^1 || ^2` is no range: expected comma after major version number, found '|'
              --> manifest.yaml:6:11
               |
            6  |   orders: ^1 || ^2
               |           ^^^^^^^^ a pin is one range; Cargo's ranges have no `||`

            error: the name of a service may only have letters, digits, ".", "_" and "-", but has ' '
              --> manifest.yaml:7:3
               |
            7  |   bad name: ^1
               |   ^^^^^^^^

            error: a pin needs `range`
              --> manifest.yaml:8:10
               |
            8  |   users: { rnge: ^1 }
               |          ^ such as `range: ^1.4`

            error: unknown key `rnge`
              --> manifest.yaml:8:12
               |
            8  |   users: { rnge: ^1 }
               |            ^^^^ did you mean `range`?

            error: `catalg` has a cap and no pin
              --> manifest.yaml:9:9
               |
            9  | caps: { catalg: 2, catalog: 120% }
               |         ^^^^^^ did you mean `catalog`?

            error: a cap must be a number from 0 to 1, and is `2`
              --> manifest.yaml:9:17
               |
            9  | caps: { catalg: 2, catalog: 120% }
               |                 ^

            error: a cap must be a number from 0 to 100, and is `120`
              --> manifest.yaml:9:29
               |
            9  | caps: { catalg: 2, catalog: 120% }
               |                             ^^^^

            error: page cannot be `../page`
               --> manifest.yaml:10:7
                |
            10  | page: ../page
                |       ^^^^^^^ write a path below the directory of the manifest, without `..`

            error: documents cannot be `/etc`
               --> manifest.yaml:11:12
                |
            11  | documents: /etc
                |            ^^^^ write a path below the directory of the manifest, without `..`

            error: unknown key `colour`
               --> manifest.yaml:12:1
                |
            12  | colour: red
                | ^^^^^^ a manifest has `app`, `version`, `state`, `pins`, `caps`, `page` and `documents`

            manifest.yaml: 14 mistakes"#]],
    );
    check_manifest(
        "app: web\n",
        expect![[r#"
        error: a manifest needs `pins`
          --> manifest.yaml:1:1
           |
        1  | app: web
           | ^ such as `pins: { catalog: ^1.4 }`

        error: a manifest needs `state`
          --> manifest.yaml:1:1
           |
        1  | app: web
           | ^ such as `state: active`

        error: a manifest needs `version`
          --> manifest.yaml:1:1
           |
        1  | app: web
           | ^ such as `version: 2.4.1`

        manifest.yaml: 3 mistakes"#]],
    );
    check_manifest(
        "",
        expect![[r#"
        error: the file is empty
          --> manifest.yaml:1:1
           |
        1  |
           | ^

        manifest.yaml: 1 mistake"#]],
    );
    check_manifest(
        "- a\n",
        expect![[r#"
        error: a manifest must be a map of keys and values
          --> manifest.yaml:1:1
           |
        1  | - a
           | ^^^

        manifest.yaml: 1 mistake"#]],
    );
    check_manifest(
        "app: web\nversion: 2.4.0\nstate: retired\npins: [catalog]\ncaps: 3\n",
        expect![[r#"
            error: version is 2.4.0, and this is the place of web@2.5.0
              --> manifest.yaml:2:10
               |
            2  | version: 2.4.0
               |          ^^^^^ the directory of a version has its name

            error: state cannot be `retired`
              --> manifest.yaml:3:8
               |
            3  | state: retired
               |        ^^^^^^^ it is one of `preview`, `active` and `deprecated`

            error: pins must be a map of keys and values
              --> manifest.yaml:4:7
               |
            4  | pins: [catalog]
               |       ^^^^^^^^^

            error: caps must be a map of keys and values
              --> manifest.yaml:5:7
               |
            5  | caps: 3
               |       ^

            manifest.yaml: 4 mistakes"#]],
    );
}

#[test]
fn an_app_says_who_gets_which_version() {
    check_app(
        "app: web\ndefault: 2.4.1\nrules:\n  - { to: 2.5.0, customers: [acme, 42] }\n\
         \x20 - { to: 2.5.0, segment: beta, from: 2026-12-01, until: '2026-12-31T12:30:00.5+01:00' }\n\
         \x20 - { to: 2.5.0, percent: 12.5, salt: web/2.5 }\n",
        expect![[r#"
            App {
                name: web,
                default: 2.4.1,
                rules: [
                    Rule {
                        to: 2.5.0,
                        who: Customers(
                            {
                                "42",
                                "acme",
                            },
                        ),
                        from: None,
                        until: None,
                    },
                    Rule {
                        to: 2.5.0,
                        who: Segment(
                            "beta",
                        ),
                        from: Some(
                            Timestamp(
                                1796083200000,
                            ),
                        ),
                        until: Some(
                            Timestamp(
                                1798716600500,
                            ),
                        ),
                    },
                    Rule {
                        to: 2.5.0,
                        who: Share(
                            Weight(
                                125000,
                            ),
                            "web/2.5",
                        ),
                        from: None,
                        until: None,
                    },
                ],
            }"#]],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "what is told of many mistakes is long")]
fn every_mistake_in_an_app_is_told_with_its_place() {
    check_app(
        "app: shop\ndefault: newest\nrules:\n  - { to: 2.5.0 }\n  - { to: 2.5.0, customers: [], segment: a }\n  - { to: 2.5.0, percent: 101 }\n\
         \x20 - { to: 2.5.0, percent: NaN, salt: a }\n  - { to: 2.5.0, segment: '', salt: x }\n\
         \x20 - { to: 2.5.0, customers: [], from: tomorrow, until: 2026-02-30 }\n\
         \x20 - { to: 2.5.0, segment: a, from: 2026-12-02, until: 2026-12-01 }\n  - { too: 2.5.0, segmnt: a }\nrule: 3\n",
        expect![[r#"
            error: app is shop, and this is the place of web
              --> app.yaml:1:6
               |
            1  | app: shop
               |      ^^^^ the directory of an app has its name

            error: default is no version by semver.org, such as "1.5.0": unexpected character 'n' while parsing major version number
              --> app.yaml:2:10
               |
            2  | default: newest
               |          ^^^^^^

            error: a rule says whom it means in one way
              --> app.yaml:4:5
               |
            4  |   - { to: 2.5.0 }
               |     ^^^^^^^^^^^^^ write exactly one of `customers`, `segment` and `percent`

            error: a rule says whom it means in one way
              --> app.yaml:5:5
               |
            5  |   - { to: 2.5.0, customers: [], segment: a }
               |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ write exactly one of `customers`, `segment` and `percent`

            error: a rule needs `salt`
              --> app.yaml:6:5
               |
            6  |   - { to: 2.5.0, percent: 101 }
               |     ^ such as `salt: web/2.5`

            error: percent must be a number from 0 to 100, and is `101`
              --> app.yaml:6:27
               |
            6  |   - { to: 2.5.0, percent: 101 }
               |                           ^^^

            error: percent must be a number from 0 to 100, and is `NaN`
              --> app.yaml:7:27
               |
            7  |   - { to: 2.5.0, percent: NaN, salt: a }
               |                           ^^^

            error: segment has 1 to 256 bytes of printable text
              --> app.yaml:8:27
               |
            8  |   - { to: 2.5.0, segment: '', salt: x }
               |                           ^^

            error: a salt belongs to a percentage
              --> app.yaml:8:37
               |
            8  |   - { to: 2.5.0, segment: '', salt: x }
               |                                     ^

            error: a rule names 1 to 5000 customers
              --> app.yaml:9:29
               |
            9  |   - { to: 2.5.0, customers: [], from: tomorrow, until: 2026-02-30 }
               |                             ^^

            error: from must be a moment such as 2026-12-01 or 2026-12-01T08:00:00Z, and is `tomorrow`
              --> app.yaml:9:39
               |
            9  |   - { to: 2.5.0, customers: [], from: tomorrow, until: 2026-02-30 }
               |                                       ^^^^^^^^

            error: until must be a moment such as 2026-12-01 or 2026-12-01T08:00:00Z, and is `2026-02-30`
              --> app.yaml:9:56
               |
            9  |   - { to: 2.5.0, customers: [], from: tomorrow, until: 2026-02-30 }
               |                                                        ^^^^^^^^^^

            error: until is not after from, so that the rule never holds
               --> app.yaml:10:55
                |
            10  |   - { to: 2.5.0, segment: a, from: 2026-12-02, until: 2026-12-01 }
                |                                                       ^^^^^^^^^^

            error: a rule needs `to`
               --> app.yaml:11:5
                |
            11  |   - { too: 2.5.0, segmnt: a }
                |     ^ such as `to: 2.5.0`

            error: a rule says whom it means in one way
               --> app.yaml:11:5
                |
            11  |   - { too: 2.5.0, segmnt: a }
                |     ^^^^^^^^^^^^^^^^^^^^^^^^^ write exactly one of `customers`, `segment` and `percent`

            error: unknown key `too`
               --> app.yaml:11:7
                |
            11  |   - { too: 2.5.0, segmnt: a }
                |       ^^^ did you mean `to`?

            error: unknown key `segmnt`
               --> app.yaml:11:19
                |
            11  |   - { too: 2.5.0, segmnt: a }
                |                   ^^^^^^ did you mean `segment`?

            error: unknown key `rule`
               --> app.yaml:12:1
                |
            12  | rule: 3
                | ^^^^ did you mean `rules`?

            app.yaml: 18 mistakes"#]],
    );
    check_app(
        "app: web\ndefault: 1.0.0\nrules: { to: 1.0.0 }\n",
        expect![[r#"
        error: rules must be a list
          --> app.yaml:3:8
           |
        3  | rules: { to: 1.0.0 }
           |        ^^^^^^^^^^^^^ write `[a, b]`, or one `- item` a line

        app.yaml: 1 mistake"#]],
    );
}
