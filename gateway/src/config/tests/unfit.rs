//! Networks and URLs, values that do not fit each other, YAML that is none, variables that are not there.
//!
//! `UPDATE_EXPECT=1` rewrites the words; read them as the person who made the mistake.

use expect_test::expect;

use super::check;

#[test]
fn networks_urls_and_headers() {
    check(
        "registry: { allow_cidrs: [10.0.0.1] }\n",
        expect![[r#"
        error: `registry.allow_cidrs`: `10.0.0.1` has no prefix length
          --> turnout.yaml:1:27
           |
        1  | registry: { allow_cidrs: [10.0.0.1] }
           |                           ^^^^^^^^ did you mean `10.0.0.1/32`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry: { allow_cidrs: [10.1.2.3/8] }\n",
        expect![[r#"
        error: `registry.allow_cidrs`: `10.1.2.3/8` has bits set past its prefix
          --> turnout.yaml:1:27
           |
        1  | registry: { allow_cidrs: [10.1.2.3/8] }
           |                           ^^^^^^^^^^ did you mean `10.0.0.0/8`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry: { allow_cidrs: [intranet] }\n",
        expect![[r#"
        error: `registry.allow_cidrs`: `intranet` is not a network such as `10.0.0.0/8`
          --> turnout.yaml:1:27
           |
        1  | registry: { allow_cidrs: [intranet] }
           |                           ^^^^^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry:\n  kind: etcd\n  endpoints: ['etcd:2379', 'ftp://etcd:21', 'http://etcd:99999']\n",
        expect![[r#"
            error: `registry.endpoints`: `etcd:2379` is not a URL
              --> turnout.yaml:3:15
               |
            3  |   endpoints: ['etcd:2379', 'ftp://etcd:21', 'http://etcd:99999']
               |               ^^^^^^^^^^^ did you mean `http://etcd:2379`?

            error: `registry.endpoints`: `ftp` is not a scheme for this URL
              --> turnout.yaml:3:28
               |
            3  |   endpoints: ['etcd:2379', 'ftp://etcd:21', 'http://etcd:99999']
               |                            ^^^^^^^^^^^^^^^ it takes http:// or https://

            error: `registry.endpoints`: port 99999 is above 65535
              --> turnout.yaml:3:45
               |
            3  |   endpoints: ['etcd:2379', 'ftp://etcd:21', 'http://etcd:99999']
               |                                             ^^^^^^^^^^^^^^^^^^^

            turnout.yaml: 3 mistakes"#]],
    );
    check(
        "http:\n  cors:\n    origins: [app.example.com, 'https://a.example/x', 'https://*.example']\n",
        expect![[r#"
            error: `http.cors.origins`: `app.example.com` is not an origin
              --> turnout.yaml:3:15
               |
            3  |     origins: [app.example.com, 'https://a.example/x', 'https://*.example']
               |               ^^^^^^^^^^^^^^^ an origin has a scheme, such as `https://app.example.com`

            error: `http.cors.origins`: `https://a.example/x` has a path; an origin has none
              --> turnout.yaml:3:32
               |
            3  |     origins: [app.example.com, 'https://a.example/x', 'https://*.example']
               |                                ^^^^^^^^^^^^^^^^^^^^^ did you mean `https://a.example`?

            error: `http.cors.origins`: `https://*.example`: a part of an origin cannot be `*`
              --> turnout.yaml:3:55
               |
            3  |     origins: [app.example.com, 'https://a.example/x', 'https://*.example']
               |                                                       ^^^^^^^^^^^^^^^^^^^ write each origin, or `*` alone for any

            turnout.yaml: 3 mistakes"#]],
    );
}

#[test]
fn more_networks_urls_and_headers() {
    check(
        "headers: { forward: [grpc-timeout, 'two words', Host] }\n",
        expect![[r#"
        error: `headers.forward`: `grpc-timeout` cannot be forwarded
          --> turnout.yaml:1:22
           |
        1  | headers: { forward: [grpc-timeout, 'two words', Host] }
           |                      ^^^^^^^^^^^^ the gateway sets it itself

        error: `headers.forward`: `two words` is not a header name
          --> turnout.yaml:1:36
           |
        1  | headers: { forward: [grpc-timeout, 'two words', Host] }
           |                                    ^^^^^^^^^^^

        error: `headers.forward`: `host` cannot be forwarded
          --> turnout.yaml:1:49
           |
        1  | headers: { forward: [grpc-timeout, 'two words', Host] }
           |                                                 ^^^^ the gateway sets it itself

        turnout.yaml: 3 mistakes"#]],
    );
    check(
        "registry: { kind: etcd, endpoints: ['http://e:1'], prefix: turnout/ }\n",
        expect![[r#"
        error: `registry.prefix`: `turnout/` must begin with `/` and not end with it
          --> turnout.yaml:1:60
           |
        1  | registry: { kind: etcd, endpoints: ['http://e:1'], prefix: turnout/ }
           |                                                            ^^^^^^^^ did you mean `/turnout`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry: { kind: etcd, endpoints: ['http://e:1'], prefix: / }\n",
        expect![[r#"
        error: `registry.prefix`: would take the whole of etcd
          --> turnout.yaml:1:60
           |
        1  | registry: { kind: etcd, endpoints: ['http://e:1'], prefix: / }
           |                                                            ^ write a prefix such as `/turnout/v1`

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "data: ~/turnout\n",
        expect![[r#"
        error: `data`: `~/turnout`: `~` is not expanded
          --> turnout.yaml:1:7
           |
        1  | data: ~/turnout
           |       ^^^^^^^^^ did you mean `${HOME}/turnout`?

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn settings_that_do_not_fit_each_other() {
    check(
        "registry: { kind: etcd }\n",
        expect![[r#"
        error: `registry.kind: etcd` needs `registry.endpoints`
          --> turnout.yaml:1:19
           |
        1  | registry: { kind: etcd }
           |                   ^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry:\n  endpoints: [http://127.0.0.1:2379]\n  prefix: /x\n",
        expect![[r#"
        error: `registry.endpoints` has no meaning unless `registry.kind` is `etcd`
          --> turnout.yaml:2:14
           |
        2  |   endpoints: [http://127.0.0.1:2379]
           |              ^^^^^^^^^^^^^^^^^^^^^^^ set `registry.kind: etcd`, or remove it

        error: `registry.prefix` has no meaning unless `registry.kind` is `etcd`
          --> turnout.yaml:3:11
           |
        3  |   prefix: /x
           |           ^^ set `registry.kind: etcd`, or remove it

        turnout.yaml: 2 mistakes"#]],
    );
    check(
        "registry: { kind: etcd, endpoints: ['http://e:1'], tls: { cert: a.pem }, password: p }\n",
        expect![[r#"
            error: `registry.tls.cert` needs `registry.tls.key`
              --> turnout.yaml:1:65
               |
            1  | registry: { kind: etcd, endpoints: ['http://e:1'], tls: { cert: a.pem }, password: * }
               |                                                                 ^^^^^

            error: `registry.password` needs `registry.username`
              --> turnout.yaml:1:84
               |
            1  | registry: { kind: etcd, endpoints: ['http://e:1'], tls: { cert: a.pem }, password: * }
               |                                                                                    ^

            turnout.yaml: 2 mistakes"#]],
    );
    check(
        "ledger: { kind: postgres }\n",
        expect![[r#"
        error: `ledger.kind: postgres` needs `ledger.url`
          --> turnout.yaml:1:17
           |
        1  | ledger: { kind: postgres }
           |                 ^^^^^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "ledger: { url: 'postgres://u:hunter2@db/x' }\n",
        expect![[r#"
        error: `ledger.url` has no meaning unless `ledger.kind` is `postgres`
          --> turnout.yaml:1:16
           |
        1  | ledger: { url: *************************** }
           |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^ set `ledger.kind: postgres`, or remove it

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn more_settings_that_do_not_fit_each_other() {
    check(
        "frontends: { trust: signed }\n",
        expect![[r#"
        error: `frontends.trust: signed` needs `frontends.key_file`
          --> turnout.yaml:1:21
           |
        1  | frontends: { trust: signed }
           |                     ^^^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "admin: { listen: 0.0.0.0:4001 }\n",
        expect![[r#"
        error: `admin.listen`: 0.0.0.0:4001 is not on loopback, so `admin.tokens.file` is needed
          --> turnout.yaml:1:18
           |
        1  | admin: { listen: 0.0.0.0:4001 }
           |                  ^^^^^^^^^^^^ without tokens, whoever reaches that address operates the gateway

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "listen: 0.0.0.0:4001\n",
        expect![[r#"
        error: `listen` and `admin.listen` both take port 4001
          --> turnout.yaml:1:9
           |
        1  | listen: 0.0.0.0:4001
           |         ^^^^^^^^^^^^ give each its own port

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "auth: { jwt: { audience: turnout } }\n",
        expect![[r#"
        error: `auth.jwt` needs `auth.jwt.issuer`
          --> turnout.yaml:1:26
           |
        1  | auth: { jwt: { audience: turnout } }
           |                          ^^^^^^^

        error: `auth.jwt` needs `auth.jwt.jwks_url`
          --> turnout.yaml:1:26
           |
        1  | auth: { jwt: { audience: turnout } }
           |                          ^^^^^^^

        turnout.yaml: 2 mistakes"#]],
    );
}

#[test]
fn the_yaml_itself() {
    check(
        "listen: [127.0.0.1:4000\n",
        expect![[r#"
        error: not YAML: while parsing a flow sequence, expected ',' or ']'
          --> turnout.yaml:2:1
           |
        2  |
           | ^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "listen: 127.0.0.1:4000\nlisten: 127.0.0.1:4002\n",
        expect![[r#"
        error: `listen` is given twice
          --> turnout.yaml:2:1
           |
        2  | listen: 127.0.0.1:4002
           | ^^^^^^ first given on line 1; keep one

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "a: &x 1\nb: *x\n",
        expect![[r#"
            error: unknown setting `a`
              --> turnout.yaml:1:1
               |
            1  | a: &x 1
               | ^ known here: listen, admin, data, registry, upstream, ledger, frontends, expose, on_new_version, rollouts, services, auth, identity, http, limits, headers, expose_lineup, telemetry

            error: YAML anchors are not supported
              --> turnout.yaml:1:4
               |
            1  | a: &x 1
               |    ^^^^ write the value out

            error: unknown setting `b`
              --> turnout.yaml:2:1
               |
            2  | b: *x
               | ^ known here: listen, admin, data, registry, upstream, ledger, frontends, expose, on_new_version, rollouts, services, auth, identity, http, limits, headers, expose_lineup, telemetry

            error: YAML aliases are not supported
              --> turnout.yaml:2:4
               |
            2  | b: *x
               |    ^^ write the value out

            turnout.yaml: 4 mistakes"#]],
    );
    check(
        "expose: !!str all\n",
        expect![[r#"
        error: YAML tags are not supported
          --> turnout.yaml:1:9
           |
        1  | expose: !!str all
           |         ^^^^^^^^^ remove the tag: a setting's type is known

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "expose: all\n---\nexpose: all\n",
        expect![[r#"
        error: a second YAML document starts here
          --> turnout.yaml:2:1
           |
        2  | ---
           | ^^^ keep one document in the file

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn more_the_yaml_itself() {
    check(
        "http:\n\tcsrf: true\n",
        expect![[r#"
        error: not YAML: tabs disallowed within this context (block indentation)
          --> turnout.yaml:2:2
           |
        2  |  csrf: true
           |  ^ YAML is indented with spaces, not tabs

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "http: { status: ${STATUS:-rails} }\n",
        expect![[r#"
        error: not YAML: while parsing a flow mapping, did not find expected ',' or '}'
          --> turnout.yaml:1:18
           |
        1  | http: { status: ${STATUS:-rails} }
           |                  ^ inside `{ }` or `[ ]` write "${VAR}" in quotes

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "? [a]\n: 1\n",
        expect![[r#"
        error: a key must be plain text
          --> turnout.yaml:1:3
           |
        1  | ? [a]
           |   ^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "just words\n",
        expect![[r#"
            error: the file must be a map of settings
              --> turnout.yaml:1:1
               |
            1  | just words
               | ^^^^^^^^^^ known here: listen, admin, data, registry, upstream, ledger, frontends, expose, on_new_version, rollouts, services, auth, identity, http, limits, headers, expose_lineup, telemetry

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "data: 'unclosed\n",
        expect![[r#"
        error: not YAML: while scanning a quoted scalar, found unexpected end of stream
          --> turnout.yaml:1:7
           |
        1  | data: 'unclosed
           |       ^

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn values_from_the_environment() {
    check(
        "data: ${NOWHERE}\n",
        expect![[r#"
        error: `data`: the environment variable `NOWHERE` is not set
          --> turnout.yaml:1:7
           |
        1  | data: ${NOWHERE}
           |       ^^^^^^^^^^ set it, or give a fallback: `${NOWHERE:-text}`

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "data: \"${NOWHERE\"\n",
        expect![[r#"
        error: `data`: `${` has no closing `}`
          --> turnout.yaml:1:7
           |
        1  | data: "${NOWHERE"
           |       ^^^^^^^^^^^ a literal `${` is written `$${`

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "data: ${no-where}\n",
        expect![[r#"
        error: `data`: `no-where` is not the name of a variable
          --> turnout.yaml:1:7
           |
        1  | data: ${no-where}
           |       ^^^^^^^^^^^ write `${VAR}` or `${VAR:-text}`

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn more_values_from_the_environment() {
    check(
        "data: ${A:-${B}}\n",
        expect![[r#"
        error: `data`: the fallback of `A` holds another `${`
          --> turnout.yaml:1:7
           |
        1  | data: ${A:-${B}}
           |       ^^^^^^^^^^ a fallback is plain text

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits:\n  deadline: ${D:-10}\n",
        expect![[r#"
        error: `limits.deadline`: `10` has no unit
          --> turnout.yaml:2:13
           |
        2  |   deadline: ${D:-10}
           |             ^^^^^^^^ did you mean `10s`?

        turnout.yaml: 1 mistake"#]],
    );
}
