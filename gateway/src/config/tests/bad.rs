//! Mistakes in names and in plain values, one by one, with the words they get.
//!
//! `UPDATE_EXPECT=1` rewrites the words; read them as the person who made the mistake.

use expect_test::expect;

use super::check;

#[test]
fn names_that_are_no_settings() {
    check(
        "lisen: 127.0.0.1:4000\n",
        expect![[r#"
        error: unknown setting `lisen`
          --> turnout.yaml:1:1
           |
        1  | lisen: 127.0.0.1:4000
           | ^^^^^ did you mean `listen`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "services:\n  orders:\n    timout: 3s\n",
        expect![[r#"
        error: unknown setting `timout` in `services.orders`
          --> turnout.yaml:3:5
           |
        3  |     timout: 3s
           |     ^^^^^^ did you mean `timeout`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "services:\n  orders:\n    retires: 3\n",
        expect![[r#"
            error: unknown setting `retires` in `services.orders`
              --> turnout.yaml:3:5
               |
            3  |     retires: 3
               |     ^^^^^^^ known here: timeout, expose, on_new_version, approval, cohort_unit, version, tls, protocol, schema

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "onNewVersion: hold\n",
        expect![[r#"
        error: unknown setting `onNewVersion`
          --> turnout.yaml:1:1
           |
        1  | onNewVersion: hold
           | ^^^^^^^^^^^^ did you mean `on_new_version`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "depth: 20\n",
        expect![[r#"
        error: unknown setting `depth`
          --> turnout.yaml:1:1
           |
        1  | depth: 20
           | ^^^^^ did you mean `limits.depth`?

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn more_names_that_are_no_settings() {
    check(
        "plugins: []\n",
        expect![[r#"
            error: unknown setting `plugins`
              --> turnout.yaml:1:1
               |
            1  | plugins: []
               | ^^^^^^^ known here: listen, admin, data, registry, upstream, ledger, frontends, expose, on_new_version, rollouts, services, auth, identity, http, limits, headers, expose_lineup, telemetry

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "http: { cors: { origin: ['https://a.example'] } }\n",
        expect![[r#"
        error: unknown setting `origin` in `http.cors`
          --> turnout.yaml:1:17
           |
        1  | http: { cors: { origin: ['https://a.example'] } }
           |                 ^^^^^^ did you mean `origins`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "admin:\n  port: 4001\n",
        expect![[r#"
        error: unknown setting `port` in `admin`
          --> turnout.yaml:2:3
           |
        2  |   port: 4001
           |   ^^^^ known here: listen, tokens

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "services:\n  \"a/b\": { timeout: 1s }\n",
        expect![[r#"
        error: `services`: the name `a/b` may only have letters, digits, ".", "_" and "-", but has '/'
          --> turnout.yaml:2:3
           |
        2  |   "a/b": { timeout: 1s }
           |   ^^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "telemetry: { otlp: { endpoint: x } }\n",
        expect![[r#"
        error: unknown setting `otlp` in `telemetry`
          --> turnout.yaml:1:14
           |
        1  | telemetry: { otlp: { endpoint: x } }
           |              ^^^^ known here: logs

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn addresses() {
    check(
        "listen: 127.0.0.1:70000\n",
        expect![[r#"
        error: `listen`: port 70000 is above 65535
          --> turnout.yaml:1:9
           |
        1  | listen: 127.0.0.1:70000
           |         ^^^^^^^^^^^^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "listen: 4000\n",
        expect![[r#"
        error: `listen`: `4000` is a port without an address
          --> turnout.yaml:1:9
           |
        1  | listen: 4000
           |         ^^^^ did you mean `127.0.0.1:4000`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "listen: :4000\n",
        expect![[r#"
        error: `listen`: `:4000` names no address
          --> turnout.yaml:1:9
           |
        1  | listen: :4000
           |         ^^^^^ did you mean `0.0.0.0:4000`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "listen: localhost:4000\n",
        expect![[r#"
        error: `listen`: `localhost:4000` is a name, not an address
          --> turnout.yaml:1:9
           |
        1  | listen: localhost:4000
           |         ^^^^^^^^^^^^^^ did you mean `127.0.0.1:4000`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "listen: 127.0.0.1\n",
        expect![[r#"
        error: `listen`: `127.0.0.1` has no port
          --> turnout.yaml:1:9
           |
        1  | listen: 127.0.0.1
           |         ^^^^^^^^^ did you mean `127.0.0.1:4000`?

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn more_addresses() {
    check(
        "listen: gateway.internal:4000\n",
        expect![[r#"
        error: `listen`: `gateway.internal` is not an IP address
          --> turnout.yaml:1:9
           |
        1  | listen: gateway.internal:4000
           |         ^^^^^^^^^^^^^^^^^^^^^ names are not looked up; `0.0.0.0` listens on every address

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "listen: 127.0.0.1:http\n",
        expect![[r#"
        error: `listen`: `http` is not a port
          --> turnout.yaml:1:9
           |
        1  | listen: 127.0.0.1:http
           |         ^^^^^^^^^^^^^^ a port is a number up to 65535

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "listen: true\n",
        expect![[r#"
        error: `listen`: `true` is not an address such as `127.0.0.1:4000`
          --> turnout.yaml:1:9
           |
        1  | listen: true
           |         ^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "admin: { listen: [127.0.0.1:4001] }\n",
        expect![[r#"
        error: `admin.listen` takes an address such as `127.0.0.1:4000`, not a list
          --> turnout.yaml:1:18
           |
        1  | admin: { listen: [127.0.0.1:4001] }
           |                  ^^^^^^^^^^^^^^^^ an IPv6 address goes in quotes: "[::1]:4000"

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "listen:\n",
        expect![[r#"
        error: `listen` has no value
          --> turnout.yaml:1:1
           |
        1  | listen:
           | ^^^^^^ it takes an address such as `127.0.0.1:4000`; without the line the default holds

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn durations_and_sizes() {
    check(
        "limits: { deadline: 10 }\n",
        expect![[r#"
        error: `limits.deadline`: `10` has no unit
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: 10 }
           |                     ^^ did you mean `10s`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: { deadline: 10sec }\n",
        expect![[r#"
        error: `limits.deadline`: `sec` is not a unit
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: 10sec }
           |                     ^^^^^ did you mean `10s`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: { deadline: 1.5s }\n",
        expect![[r#"
        error: `limits.deadline`: `1.5s` is not a whole number with a unit
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: 1.5s }
           |                     ^^^^ units are ms, s, m, h, d

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: { deadline: 10 s }\n",
        expect![[r#"
        error: `limits.deadline`: `10 s` has a space before its unit
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: 10 s }
           |                     ^^^^ did you mean `10s`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: { deadline: soon }\n",
        expect![[r#"
        error: `limits.deadline`: `soon` is not a number with a unit
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: soon }
           |                     ^^^^ units are ms, s, m, h, d

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: { deadline: 2d }\n",
        expect![[r#"
        error: `limits.deadline`: `2d` is above 10m, the most
          --> turnout.yaml:1:21
           |
        1  | limits: { deadline: 2d }
           |                     ^^

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn more_durations_and_sizes() {
    check(
        "registry: { ttl: 500ms }\n",
        expect![[r#"
        error: `registry.ttl`: `500ms` is below 5s, the least
          --> turnout.yaml:1:18
           |
        1  | registry: { ttl: 500ms }
           |                  ^^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry: { ttl: 99999999999999999999h }\n",
        expect![[r#"
        error: `registry.ttl`: `99999999999999999999h` is too large
          --> turnout.yaml:1:18
           |
        1  | registry: { ttl: 99999999999999999999h }
           |                  ^^^^^^^^^^^^^^^^^^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: { body: 1048576 }\n",
        expect![[r#"
        error: `limits.body`: `1048576` has no unit
          --> turnout.yaml:1:17
           |
        1  | limits: { body: 1048576 }
           |                 ^^^^^^^ did you mean `1MiB`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: { body: 1mb }\n",
        expect![[r#"
        error: `limits.body`: `mb` is not a unit
          --> turnout.yaml:1:17
           |
        1  | limits: { body: 1mb }
           |                 ^^^ did you mean `1MiB`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: { body: 2GiB }\n",
        expect![[r#"
        error: `limits.body`: `2GiB` is above 64MiB, the most
          --> turnout.yaml:1:17
           |
        1  | limits: { body: 2GiB }
           |                 ^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: { body: 10 parsecs }\n",
        expect![[r#"
        error: `limits.body`: `parsecs` is not a unit
          --> turnout.yaml:1:17
           |
        1  | limits: { body: 10 parsecs }
           |                 ^^^^^^^^^^ units are B, kB, MB, GB, KiB, MiB, GiB

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn numbers_choices_and_shapes() {
    check(
        "limits: { depth: 1.5 }\n",
        expect![[r#"
        error: `limits.depth`: takes a whole number from 1 to 50, not `1.5`
          --> turnout.yaml:1:18
           |
        1  | limits: { depth: 1.5 }
           |                  ^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: { depth: 0 }\n",
        expect![[r#"
        error: `limits.depth`: `0` is below 1, the least
          --> turnout.yaml:1:18
           |
        1  | limits: { depth: 0 }
           |                  ^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: { tokens: 10_000 }\n",
        expect![[r#"
        error: `limits.tokens`: `10_000` is not a plain number
          --> turnout.yaml:1:19
           |
        1  | limits: { tokens: 10_000 }
           |                   ^^^^^^ did you mean `10000`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "http: { csrf: yes }\n",
        expect![[r#"
        error: `http.csrf`: takes `true` or `false`, not `yes`
          --> turnout.yaml:1:15
           |
        1  | http: { csrf: yes }
           |               ^^^ did you mean `true`?

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "http: { csrf: maybe }\n",
        expect![[r#"
        error: `http.csrf`: takes `true` or `false`, not `maybe`
          --> turnout.yaml:1:15
           |
        1  | http: { csrf: maybe }
           |               ^^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "expose: anotated\n",
        expect![[r#"
        error: `expose`: takes `annotated` or `all`, not `anotated`
          --> turnout.yaml:1:9
           |
        1  | expose: anotated
           |         ^^^^^^^^ did you mean `annotated`?

        turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn more_numbers_choices_and_shapes() {
    check(
        "ledger: { kind: mysql }\n",
        expect![[r#"
        error: `ledger.kind`: takes `embedded` or `postgres`, not `mysql`
          --> turnout.yaml:1:17
           |
        1  | ledger: { kind: mysql }
           |                 ^^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "limits: 10\n",
        expect![[r#"
        error: `limits` is a section, not a value
          --> turnout.yaml:1:9
           |
        1  | limits: 10
           |         ^^ known here: body, tokens, depth, selections, aliases, directives, deadline

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "admin: { tokens: tokens.yaml }\n",
        expect![[r#"
        error: `admin.tokens` is a section, not a value
          --> turnout.yaml:1:18
           |
        1  | admin: { tokens: tokens.yaml }
           |                  ^^^^^^^^^^^ known here: file

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "expose: { all: true }\n",
        expect![[r#"
        error: `expose` takes `annotated` or `all`, not a map
          --> turnout.yaml:1:9
           |
        1  | expose: { all: true }
           |         ^^^^^^^^^^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "frontends: { default: web@1 }\n",
        expect![[r#"
        error: `frontends.default`: the name `web@1` may only have letters, digits, ".", "_" and "-", but has '@'
          --> turnout.yaml:1:23
           |
        1  | frontends: { default: web@1 }
           |                       ^^^^^

        turnout.yaml: 1 mistake"#]],
    );
    check(
        "- listen\n",
        expect![[r#"
            error: the file must be a map of settings
              --> turnout.yaml:1:1
               |
            1  | - listen
               | ^^^^^^^^ known here: listen, admin, data, registry, upstream, ledger, frontends, expose, on_new_version, rollouts, services, auth, identity, http, limits, headers, expose_lineup, telemetry

            turnout.yaml: 1 mistake"#]],
    );
}
