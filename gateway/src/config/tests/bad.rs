//! Mistakes that people make in a file, one by one, with the words they get.
//!
//! `UPDATE_EXPECT=1` rewrites the words; read them as the person who made the mistake.

use expect_test::{Expect, expect};

use super::read_text;

fn check(text: &str, expected: Expect) {
    match read_text(text) {
        Ok(loaded) => panic!("no mistake found in {text:?}: {:?}", loaded.config),
        Err(mistakes) => expected.assert_eq(&mistakes.to_string()),
    }
}

#[test]
fn names_that_are_no_settings() {
    check("lisen: 127.0.0.1:4000\n", expect![[r#"
        error: unknown setting `lisen`
          --> turnout.yaml:1:1
           |
        1  | lisen: 127.0.0.1:4000
           | ^^^^^ did you mean `listen`?

        turnout.yaml: 1 mistake"#]]);
    check("services:\n  orders:\n    timout: 3s\n", expect![[r#"
        error: unknown setting `timout` in `services.orders`
          --> turnout.yaml:3:5
           |
        3  |     timout: 3s
           |     ^^^^^^ did you mean `timeout`?

        turnout.yaml: 1 mistake"#]]);
    check("services:\n  orders:\n    retires: 3\n", expect![[r#"
        error: unknown setting `retires` in `services.orders`
          --> turnout.yaml:3:5
           |
        3  |     retires: 3
           |     ^^^^^^^ known here: timeout, expose, on_new_version, cohort_unit

        turnout.yaml: 1 mistake"#]]);
    check("onNewVersion: hold\n", expect![[r#"
        error: unknown setting `onNewVersion`
          --> turnout.yaml:1:1
           |
        1  | onNewVersion: hold
           | ^^^^^^^^^^^^ did you mean `on_new_version`?

        turnout.yaml: 1 mistake"#]]);
    check("depth: 20\n", expect![[r#"
        error: unknown setting `depth`
          --> turnout.yaml:1:1
           |
        1  | depth: 20
           | ^^^^^ did you mean `limits.depth`?

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn more_names_that_are_no_settings() {
    check("plugins: []\n", expect![[r#"
        error: unknown setting `plugins`
          --> turnout.yaml:1:1
           |
        1  | plugins: []
           | ^^^^^^^ known here: listen, admin, data, registry, ledger, frontends, expose, on_new_version, services, auth, identity, http, limits, headers, expose_lineup, telemetry

        turnout.yaml: 1 mistake"#]]);
    check("http: { cors: { origin: ['https://a.example'] } }\n", expect![[r#"
        error: unknown setting `origin` in `http.cors`
          --> turnout.yaml:1:17
           |
        1  | http: { cors: { origin: ['https://a.example'] } }
           |                 ^^^^^^ did you mean `origins`?

        turnout.yaml: 1 mistake"#]]);
    check("admin:\n  port: 4001\n", expect![[r#"
        error: unknown setting `port` in `admin`
          --> turnout.yaml:2:3
           |
        2  |   port: 4001
           |   ^^^^ known here: listen, tokens

        turnout.yaml: 1 mistake"#]]);
    check("services:\n  \"a/b\": { timeout: 1s }\n", expect![[r#"
        error: `services`: the name `a/b` may only have letters, digits, ".", "_" and "-", but has '/'
          --> turnout.yaml:2:3
           |
        2  |   "a/b": { timeout: 1s }
           |   ^^^^^

        turnout.yaml: 1 mistake"#]]);
    check("telemetry: { otlp: { endpoint: x } }\n", expect![[r#"
        error: unknown setting `otlp` in `telemetry`
          --> turnout.yaml:1:14
           |
        1  | telemetry: { otlp: { endpoint: x } }
           |              ^^^^ known here: logs

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn addresses() {
    check("listen: 127.0.0.1:70000\n", expect![[r#"
        error: `listen`: port 70000 is above 65535
          --> turnout.yaml:1:9
           |
        1  | listen: 127.0.0.1:70000
           |         ^^^^^^^^^^^^^^^

        turnout.yaml: 1 mistake"#]]);
    check("listen: 4000\n", expect![[r#"
        error: `listen`: `4000` is a port without an address
          --> turnout.yaml:1:9
           |
        1  | listen: 4000
           |         ^^^^ did you mean `127.0.0.1:4000`?

        turnout.yaml: 1 mistake"#]]);
    check("listen: :4000\n", expect![[r#"
        error: `listen`: `:4000` names no address
          --> turnout.yaml:1:9
           |
        1  | listen: :4000
           |         ^^^^^ did you mean `0.0.0.0:4000`?

        turnout.yaml: 1 mistake"#]]);
    check("listen: localhost:4000\n", expect![[r#"
        error: `listen`: `localhost:4000` is a name, not an address
          --> turnout.yaml:1:9
           |
        1  | listen: localhost:4000
           |         ^^^^^^^^^^^^^^ did you mean `127.0.0.1:4000`?

        turnout.yaml: 1 mistake"#]]);
    check("listen: 127.0.0.1\n", expect![[r#"
        error: `listen`: `127.0.0.1` has no port
          --> turnout.yaml:1:9
           |
        1  | listen: 127.0.0.1
           |         ^^^^^^^^^ did you mean `127.0.0.1:4000`?

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn more_addresses() {
    check("listen: gateway.internal:4000\n", expect![[r#"
        error: `listen`: `gateway.internal` is not an IP address
          --> turnout.yaml:1:9
           |
        1  | listen: gateway.internal:4000
           |         ^^^^^^^^^^^^^^^^^^^^^ names are not looked up; `0.0.0.0` listens on every address

        turnout.yaml: 1 mistake"#]]);
    check("listen: 127.0.0.1:http\n", expect![[r#"
        error: `listen`: `http` is not a port
          --> turnout.yaml:1:9
           |
        1  | listen: 127.0.0.1:http
           |         ^^^^^^^^^^^^^^ a port is a number up to 65535

        turnout.yaml: 1 mistake"#]]);
    check("listen: true\n", expect![[r#"
        error: `listen`: `true` is not an address such as `127.0.0.1:4000`
          --> turnout.yaml:1:9
           |
        1  | listen: true
           |         ^^^^

        turnout.yaml: 1 mistake"#]]);
    check("admin: { listen: [127.0.0.1:4001] }\n", expect![[r#"
        error: `admin.listen` takes an address such as `127.0.0.1:4000`, not a list
          --> turnout.yaml:1:18
           |
        1  | admin: { listen: [127.0.0.1:4001] }
           |                  ^^^^^^^^^^^^^^^^ an IPv6 address goes in quotes: "[::1]:4000"

        turnout.yaml: 1 mistake"#]]);
    check("listen:\n", expect![[r#"
        error: `listen` has no value
          --> turnout.yaml:1:1
           |
        1  | listen:
           | ^^^^^^ it takes an address such as `127.0.0.1:4000`; without the line the default holds

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn durations_and_sizes() {
    check("limits: { deadline: 10 }\n", expect![[r#"
        error: `limits.deadline`: `10` has no unit
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: 10 }
           |                     ^^ did you mean `10s`?

        turnout.yaml: 1 mistake"#]]);
    check("limits: { deadline: 10sec }\n", expect![[r#"
        error: `limits.deadline`: `sec` is not a unit
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: 10sec }
           |                     ^^^^^ did you mean `10s`?

        turnout.yaml: 1 mistake"#]]);
    check("limits: { deadline: 1.5s }\n", expect![[r#"
        error: `limits.deadline`: `1.5s` is not a whole number with a unit
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: 1.5s }
           |                     ^^^^ units are ms, s, m, h, d

        turnout.yaml: 1 mistake"#]]);
    check("limits: { deadline: 10 s }\n", expect![[r#"
        error: `limits.deadline`: `10 s` has a space before its unit
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: 10 s }
           |                     ^^^^ did you mean `10s`?

        turnout.yaml: 1 mistake"#]]);
    check("limits: { deadline: soon }\n", expect![[r#"
        error: `limits.deadline`: `soon` is not a number with a unit
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: soon }
           |                     ^^^^ units are ms, s, m, h, d

        turnout.yaml: 1 mistake"#]]);
    check("limits: { deadline: 2d }\n", expect![[r#"
        error: `limits.deadline`: `2d` is above 10m, the most
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: 2d }
           |                     ^^

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn more_durations_and_sizes() {
    check("registry: { ttl: 500ms }\n", expect![[r#"
        error: `registry.ttl`: `500ms` is below 5s, the least
          --> turnout.yaml:1:18
           |
        1  | registry: { ttl: 500ms }
           |                  ^^^^^

        turnout.yaml: 1 mistake"#]]);
    check("registry: { ttl: 99999999999999999999h }\n", expect![[r#"
        error: `registry.ttl`: `99999999999999999999h` is too large
          --> turnout.yaml:1:18
           |
        1  | registry: { ttl: 99999999999999999999h }
           |                  ^^^^^^^^^^^^^^^^^^^^^

        turnout.yaml: 1 mistake"#]]);
    check("limits: { body: 1048576 }\n", expect![[r#"
        error: `limits.body`: `1048576` has no unit
          --> turnout.yaml:1:17
           |
        1  | limits: { body: 1048576 }
           |                 ^^^^^^^ did you mean `1MiB`?

        turnout.yaml: 1 mistake"#]]);
    check("limits: { body: 1mb }\n", expect![[r#"
        error: `limits.body`: `mb` is not a unit
          --> turnout.yaml:1:17
           |
        1  | limits: { body: 1mb }
           |                 ^^^ did you mean `1MiB`?

        turnout.yaml: 1 mistake"#]]);
    check("limits: { body: 2GiB }\n", expect![[r#"
        error: `limits.body`: `2GiB` is above 64MiB, the most
          --> turnout.yaml:1:17
           |
        1  | limits: { body: 2GiB }
           |                 ^^^^

        turnout.yaml: 1 mistake"#]]);
    check("limits: { body: 10 parsecs }\n", expect![[r#"
        error: `limits.body`: `parsecs` is not a unit
          --> turnout.yaml:1:17
           |
        1  | limits: { body: 10 parsecs }
           |                 ^^^^^^^^^^ units are B, kB, MB, GB, KiB, MiB, GiB

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn numbers_choices_and_shapes() {
    check("limits: { depth: 1.5 }\n", expect![[r#"
        error: `limits.depth`: takes a whole number from 1 to 50, not `1.5`
          --> turnout.yaml:1:18
           |
        1  | limits: { depth: 1.5 }
           |                  ^^^

        turnout.yaml: 1 mistake"#]]);
    check("limits: { depth: 0 }\n", expect![[r#"
        error: `limits.depth`: `0` is below 1, the least
          --> turnout.yaml:1:18
           |
        1  | limits: { depth: 0 }
           |                  ^

        turnout.yaml: 1 mistake"#]]);
    check("limits: { tokens: 10_000 }\n", expect![[r#"
        error: `limits.tokens`: `10_000` is not a plain number
          --> turnout.yaml:1:19
           |
        1  | limits: { tokens: 10_000 }
           |                   ^^^^^^ did you mean `10000`?

        turnout.yaml: 1 mistake"#]]);
    check("http: { csrf: yes }\n", expect![[r#"
        error: `http.csrf`: takes `true` or `false`, not `yes`
          --> turnout.yaml:1:15
           |
        1  | http: { csrf: yes }
           |               ^^^ did you mean `true`?

        turnout.yaml: 1 mistake"#]]);
    check("http: { csrf: maybe }\n", expect![[r#"
        error: `http.csrf`: takes `true` or `false`, not `maybe`
          --> turnout.yaml:1:15
           |
        1  | http: { csrf: maybe }
           |               ^^^^^

        turnout.yaml: 1 mistake"#]]);
    check("expose: anotated\n", expect![[r#"
        error: `expose`: takes `annotated` or `all`, not `anotated`
          --> turnout.yaml:1:9
           |
        1  | expose: anotated
           |         ^^^^^^^^ did you mean `annotated`?

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn more_numbers_choices_and_shapes() {
    check("ledger: { kind: mysql }\n", expect![[r#"
        error: `ledger.kind`: takes `embedded` or `postgres`, not `mysql`
          --> turnout.yaml:1:17
           |
        1  | ledger: { kind: mysql }
           |                 ^^^^^

        turnout.yaml: 1 mistake"#]]);
    check("limits: 10\n", expect![[r#"
        error: `limits` is a section, not a value
          --> turnout.yaml:1:9
           |
        1  | limits: 10
           |         ^^ known here: body, tokens, depth, selections, aliases, directives, deadline

        turnout.yaml: 1 mistake"#]]);
    check("admin: { tokens: tokens.yaml }\n", expect![[r#"
        error: `admin.tokens` is a section, not a value
          --> turnout.yaml:1:18
           |
        1  | admin: { tokens: tokens.yaml }
           |                  ^^^^^^^^^^^ known here: file

        turnout.yaml: 1 mistake"#]]);
    check("expose: { all: true }\n", expect![[r#"
        error: `expose` takes `annotated` or `all`, not a map
          --> turnout.yaml:1:9
           |
        1  | expose: { all: true }
           |         ^^^^^^^^^^^^^

        turnout.yaml: 1 mistake"#]]);
    check("frontends: { default: web@1 }\n", expect![[r#"
        error: `frontends.default`: the name `web@1` may only have letters, digits, ".", "_" and "-", but has '@'
          --> turnout.yaml:1:23
           |
        1  | frontends: { default: web@1 }
           |                       ^^^^^

        turnout.yaml: 1 mistake"#]]);
    check("- listen\n", expect![[r#"
        error: the file must be a map of settings
          --> turnout.yaml:1:1
           |
        1  | - listen
           | ^^^^^^^^ known here: listen, admin, data, registry, ledger, frontends, expose, on_new_version, services, auth, identity, http, limits, headers, expose_lineup, telemetry

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn networks_urls_and_headers() {
    check("registry: { allow_cidrs: [10.0.0.1] }\n", expect![[r#"
        error: `registry.allow_cidrs`: `10.0.0.1` has no prefix length
          --> turnout.yaml:1:27
           |
        1  | registry: { allow_cidrs: [10.0.0.1] }
           |                           ^^^^^^^^ did you mean `10.0.0.1/32`?

        turnout.yaml: 1 mistake"#]]);
    check("registry: { allow_cidrs: [10.1.2.3/8] }\n", expect![[r#"
        error: `registry.allow_cidrs`: `10.1.2.3/8` has bits set past its prefix
          --> turnout.yaml:1:27
           |
        1  | registry: { allow_cidrs: [10.1.2.3/8] }
           |                           ^^^^^^^^^^ did you mean `10.0.0.0/8`?

        turnout.yaml: 1 mistake"#]]);
    check("registry: { allow_cidrs: [intranet] }\n", expect![[r#"
        error: `registry.allow_cidrs`: `intranet` is not a network such as `10.0.0.0/8`
          --> turnout.yaml:1:27
           |
        1  | registry: { allow_cidrs: [intranet] }
           |                           ^^^^^^^^

        turnout.yaml: 1 mistake"#]]);
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
    check("headers: { forward: [grpc-timeout, 'two words', Host] }\n", expect![[r#"
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

        turnout.yaml: 3 mistakes"#]]);
    check("registry: { kind: etcd, endpoints: ['http://e:1'], prefix: turnout/ }\n", expect![[r#"
        error: `registry.prefix`: `turnout/` must begin with `/` and not end with it
          --> turnout.yaml:1:60
           |
        1  | registry: { kind: etcd, endpoints: ['http://e:1'], prefix: turnout/ }
           |                                                            ^^^^^^^^ did you mean `/turnout`?

        turnout.yaml: 1 mistake"#]]);
    check("registry: { kind: etcd, endpoints: ['http://e:1'], prefix: / }\n", expect![[r#"
        error: `registry.prefix`: would take the whole of etcd
          --> turnout.yaml:1:60
           |
        1  | registry: { kind: etcd, endpoints: ['http://e:1'], prefix: / }
           |                                                            ^ write a prefix such as `/turnout/v1`

        turnout.yaml: 1 mistake"#]]);
    check("data: ~/turnout\n", expect![[r#"
        error: `data`: `~/turnout`: `~` is not expanded
          --> turnout.yaml:1:7
           |
        1  | data: ~/turnout
           |       ^^^^^^^^^ did you mean `${HOME}/turnout`?

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn settings_that_do_not_fit_each_other() {
    check("registry: { kind: etcd }\n", expect![[r#"
        error: `registry.kind: etcd` needs `registry.endpoints`
          --> turnout.yaml:1:19
           |
        1  | registry: { kind: etcd }
           |                   ^^^^

        turnout.yaml: 1 mistake"#]]);
    check("registry:\n  endpoints: [http://127.0.0.1:2379]\n  prefix: /x\n", expect![[r#"
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

        turnout.yaml: 2 mistakes"#]]);
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
    check("ledger: { kind: postgres }\n", expect![[r#"
        error: `ledger.kind: postgres` needs `ledger.url`
          --> turnout.yaml:1:17
           |
        1  | ledger: { kind: postgres }
           |                 ^^^^^^^^

        turnout.yaml: 1 mistake"#]]);
    check("ledger: { url: 'postgres://u:hunter2@db/x' }\n", expect![[r#"
        error: `ledger.url` has no meaning unless `ledger.kind` is `postgres`
          --> turnout.yaml:1:16
           |
        1  | ledger: { url: *************************** }
           |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^ set `ledger.kind: postgres`, or remove it

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn more_settings_that_do_not_fit_each_other() {
    check("frontends: { trust: signed }\n", expect![[r#"
        error: `frontends.trust: signed` needs `frontends.key_file`
          --> turnout.yaml:1:21
           |
        1  | frontends: { trust: signed }
           |                     ^^^^^^

        turnout.yaml: 1 mistake"#]]);
    check("admin: { listen: 0.0.0.0:4001 }\n", expect![[r#"
        error: `admin.listen`: 0.0.0.0:4001 is not on loopback, so `admin.tokens.file` is needed
          --> turnout.yaml:1:18
           |
        1  | admin: { listen: 0.0.0.0:4001 }
           |                  ^^^^^^^^^^^^ without tokens, whoever reaches that address operates the gateway

        turnout.yaml: 1 mistake"#]]);
    check("listen: 0.0.0.0:4001\n", expect![[r#"
        error: `listen` and `admin.listen` both take port 4001
          --> turnout.yaml:1:9
           |
        1  | listen: 0.0.0.0:4001
           |         ^^^^^^^^^^^^ give each its own port

        turnout.yaml: 1 mistake"#]]);
    check("auth: { jwt: { audience: turnout } }\n", expect![[r#"
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

        turnout.yaml: 2 mistakes"#]]);
}

#[test]
fn the_yaml_itself() {
    check("listen: [127.0.0.1:4000\n", expect![[r#"
        error: not YAML: while parsing a flow sequence, expected ',' or ']'
          --> turnout.yaml:2:1
           |
        2  |
           | ^

        turnout.yaml: 1 mistake"#]]);
    check("listen: 127.0.0.1:4000\nlisten: 127.0.0.1:4002\n", expect![[r#"
        error: `listen` is given twice
          --> turnout.yaml:2:1
           |
        2  | listen: 127.0.0.1:4002
           | ^^^^^^ first given on line 1; keep one

        turnout.yaml: 1 mistake"#]]);
    check("a: &x 1\nb: *x\n", expect![[r#"
        error: unknown setting `a`
          --> turnout.yaml:1:1
           |
        1  | a: &x 1
           | ^ known here: listen, admin, data, registry, ledger, frontends, expose, on_new_version, services, auth, identity, http, limits, headers, expose_lineup, telemetry

        error: YAML anchors are not supported
          --> turnout.yaml:1:4
           |
        1  | a: &x 1
           |    ^^^^ write the value out

        error: unknown setting `b`
          --> turnout.yaml:2:1
           |
        2  | b: *x
           | ^ known here: listen, admin, data, registry, ledger, frontends, expose, on_new_version, services, auth, identity, http, limits, headers, expose_lineup, telemetry

        error: YAML aliases are not supported
          --> turnout.yaml:2:4
           |
        2  | b: *x
           |    ^^ write the value out

        turnout.yaml: 4 mistakes"#]]);
    check("expose: !!str all\n", expect![[r#"
        error: YAML tags are not supported
          --> turnout.yaml:1:9
           |
        1  | expose: !!str all
           |         ^^^^^^^^^ remove the tag: a setting's type is known

        turnout.yaml: 1 mistake"#]]);
    check("expose: all\n---\nexpose: all\n", expect![[r#"
        error: a second YAML document starts here
          --> turnout.yaml:2:1
           |
        2  | ---
           | ^^^ keep one document in the file

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn more_the_yaml_itself() {
    check("http:\n\tcsrf: true\n", expect![[r#"
        error: not YAML: tabs disallowed within this context (block indentation)
          --> turnout.yaml:2:2
           |
        2  |  csrf: true
           |  ^ YAML is indented with spaces, not tabs

        turnout.yaml: 1 mistake"#]]);
    check("http: { status: ${STATUS:-rails} }\n", expect![[r#"
        error: not YAML: while parsing a flow mapping, did not find expected ',' or '}'
          --> turnout.yaml:1:18
           |
        1  | http: { status: ${STATUS:-rails} }
           |                  ^ inside `{ }` or `[ ]` write "${VAR}" in quotes

        turnout.yaml: 1 mistake"#]]);
    check("? [a]\n: 1\n", expect![[r#"
        error: a key must be plain text
          --> turnout.yaml:1:3
           |
        1  | ? [a]
           |   ^

        turnout.yaml: 1 mistake"#]]);
    check("just words\n", expect![[r#"
        error: the file must be a map of settings
          --> turnout.yaml:1:1
           |
        1  | just words
           | ^^^^^^^^^^ known here: listen, admin, data, registry, ledger, frontends, expose, on_new_version, services, auth, identity, http, limits, headers, expose_lineup, telemetry

        turnout.yaml: 1 mistake"#]]);
    check("data: 'unclosed\n", expect![[r#"
        error: not YAML: while scanning a quoted scalar, found unexpected end of stream
          --> turnout.yaml:1:7
           |
        1  | data: 'unclosed
           |       ^

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn values_from_the_environment() {
    check("data: ${NOWHERE}\n", expect![[r#"
        error: `data`: the environment variable `NOWHERE` is not set
          --> turnout.yaml:1:7
           |
        1  | data: ${NOWHERE}
           |       ^^^^^^^^^^ set it, or give a fallback: `${NOWHERE:-text}`

        turnout.yaml: 1 mistake"#]]);
    check("data: \"${NOWHERE\"\n", expect![[r#"
        error: `data`: `${` has no closing `}`
          --> turnout.yaml:1:7
           |
        1  | data: "${NOWHERE"
           |       ^^^^^^^^^^^ a literal `${` is written `$${`

        turnout.yaml: 1 mistake"#]]);
    check("data: ${no-where}\n", expect![[r#"
        error: `data`: `no-where` is not the name of a variable
          --> turnout.yaml:1:7
           |
        1  | data: ${no-where}
           |       ^^^^^^^^^^^ write `${VAR}` or `${VAR:-text}`

        turnout.yaml: 1 mistake"#]]);
}

#[test]
fn more_values_from_the_environment() {
    check("data: ${A:-${B}}\n", expect![[r#"
        error: `data`: the fallback of `A` holds another `${`
          --> turnout.yaml:1:7
           |
        1  | data: ${A:-${B}}
           |       ^^^^^^^^^^ a fallback is plain text

        turnout.yaml: 1 mistake"#]]);
    check("limits:\n  deadline: ${D:-10}\n", expect![[r#"
        error: `limits.deadline`: `10` has no unit
          --> turnout.yaml:2:13
           |
        2  |   deadline: ${D:-10}
           |             ^^^^^^^^ did you mean `10s`?

        turnout.yaml: 1 mistake"#]]);
}
