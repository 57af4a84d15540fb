//! Mistakes about other registries, and about what policy states of their services.
//!
//! `UPDATE_EXPECT=1` rewrites the words; read them as the person who made the mistake.

use expect_test::expect;

use super::check;

#[test]
fn sources_say_what_they_lack() {
    check(
        "registry:\n  sources:\n    legacy: { prefix: /microservices }\n",
        expect![[r#"
            error: `registry.sources.legacy` needs `registry.sources.legacy.endpoints`
              --> turnout.yaml:3:23
               |
            3  |     legacy: { prefix: /microservices }
               |                       ^^^^^^^^^^^^^^

            error: `registry.sources.legacy` needs `registry.sources.legacy.layout`
              --> turnout.yaml:3:23
               |
            3  |     legacy: { prefix: /microservices }
               |                       ^^^^^^^^^^^^^^

            turnout.yaml: 2 mistakes"#]],
    );
    check(
        "registry:\n  sources:\n    legacy: { layout: kratos, endpoints: ['http://e:1'] }\n",
        expect![[r#"
            error: `registry.sources.legacy.layout`: takes `native`, `kitex-etcd`, `kratos-etcd`, `gozero`, `gomicro-etcd`, `grpc-naming`, `todolist` or `plain`, not `kratos`
              --> turnout.yaml:3:23
               |
            3  |     legacy: { layout: kratos, endpoints: ['http://e:1'] }
               |                       ^^^^^^

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry:\n  sources:\n    legacy: { layout: kitex-etc, endpoints: ['http://e:1'] }\n",
        expect![[r#"
            error: `registry.sources.legacy.layout`: takes `native`, `kitex-etcd`, `kratos-etcd`, `gozero`, `gomicro-etcd`, `grpc-naming`, `todolist` or `plain`, not `kitex-etc`
              --> turnout.yaml:3:23
               |
            3  |     legacy: { layout: kitex-etc, endpoints: ['http://e:1'] }
               |                       ^^^^^^^^^ did you mean `kitex-etcd`?

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry:\n  sources:\n    legacy: { layout: kitex-etcd, endpoints: ['http://e:1'], username: u }\n",
        expect![[r#"
            error: `registry.sources.legacy.username` needs `registry.sources.legacy.password`
              --> turnout.yaml:3:72
               |
            3  |     legacy: { layout: kitex-etcd, endpoints: ['http://e:1'], username: u }
               |                                                                        ^

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry:\n  sources:\n    turnout: { layout: kitex-etcd, endpoints: ['http://e:1'] }\n",
        expect![[r#"
            error: `registry.sources.turnout` is the gateway's own registry
              --> turnout.yaml:3:24
               |
            3  |     turnout: { layout: kitex-etcd, endpoints: ['http://e:1'] }
               |                        ^^^^^^^^^^ give it another name

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry:\n  sources:\n    legacy: { layout: kitex-etcd, endpoint: ['http://e:1'] }\n",
        expect![[r#"
            error: `registry.sources.legacy` needs `registry.sources.legacy.endpoints`
              --> turnout.yaml:3:23
               |
            3  |     legacy: { layout: kitex-etcd, endpoint: ['http://e:1'] }
               |                       ^^^^^^^^^^

            error: unknown setting `endpoint` in `registry.sources.legacy`
              --> turnout.yaml:3:35
               |
            3  |     legacy: { layout: kitex-etcd, endpoint: ['http://e:1'] }
               |                                   ^^^^^^^^ did you mean `endpoints`?

            turnout.yaml: 2 mistakes"#]],
    );
}

#[test]
fn sources_at_the_root_name_their_services() {
    check(
        "registry:\n  sources:\n    todo: { layout: todolist, endpoints: ['http://e:1'] }\n",
        expect![[r#"
            error: `registry.sources.todo` has its keys at the root of etcd, so `registry.sources.todo.services` is needed
              --> turnout.yaml:3:21
               |
            3  |     todo: { layout: todolist, endpoints: ['http://e:1'] }
               |                     ^^^^^^^^ name the services, or set a prefix

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry:\n  sources:\n    cart: { layout: kitex-etcd, endpoints: ['http://e:1'], prefix: / }\n",
        expect![[r#"
            error: `registry.sources.cart` has its keys at the root of etcd, so `registry.sources.cart.services` is needed
              --> turnout.yaml:3:68
               |
            3  |     cart: { layout: kitex-etcd, endpoints: ['http://e:1'], prefix: / }
               |                                                                    ^ name the services, or set a prefix

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry:\n  sources:\n    cart: { layout: kitex-etcd, endpoints: ['http://e:1'], prefix: kitex/ }\n",
        expect![[r#"
            error: `registry.sources.cart.prefix`: `kitex/` must not end with `/`
              --> turnout.yaml:3:68
               |
            3  |     cart: { layout: kitex-etcd, endpoints: ['http://e:1'], prefix: kitex/ }
               |                                                                    ^^^^^^ did you mean `kitex`?

            turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn no_key_belongs_to_two_sources() {
    check(
        "registry:\n  sources:\n    a: { layout: kratos-etcd, endpoints: ['http://e:1'] }\n    b: { layout: kitex-etcd, endpoints: ['http://f:1', 'http://e:1'], prefix: /microservices/cart }\n",
        expect![[r#"
            error: the sources `a` and `b` may read the same keys
              --> turnout.yaml:4:79
               |
            4  |     b: { layout: kitex-etcd, endpoints: ['http://f:1', 'http://e:1'], prefix: /microservices/cart }
               |                                                                               ^^^^^^^^^^^^^^^^^^^ set prefixes of which none begins with the other, or `services`

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry:\n  sources:\n    a: { layout: todolist, endpoints: ['http://e:1'], services: [user] }\n    b: { layout: todolist, endpoints: ['http://e:1'], services: [user, task] }\n",
        expect![[r#"
            error: the sources `a` and `b` may read the same keys
              --> turnout.yaml:4:18
               |
            4  |     b: { layout: todolist, endpoints: ['http://e:1'], services: [user, task] }
               |                  ^^^^^^^^ set prefixes of which none begins with the other, or `services`

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry:\n  kind: etcd\n  endpoints: ['http://e:1']\n  sources:\n    again: { layout: native, endpoints: ['http://e:1'] }\n",
        expect![[r#"
            error: the source `again` would read the keys of the gateway's own registry
              --> turnout.yaml:5:22
               |
            5  |     again: { layout: native, endpoints: ['http://e:1'] }
               |                      ^^^^^^ set another prefix, or remove the source

            turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn a_plain_layout_describes_what_can_be_called() {
    check(
        "registry:\n  sources:\n    own: { layout: plain, endpoints: ['http://e:1'] }\n",
        expect![[r#"
            error: `registry.sources.own.layout` needs `registry.sources.own.key`
              --> turnout.yaml:3:20
               |
            3  |     own: { layout: plain, endpoints: ['http://e:1'] }
               |                    ^^^^^

            error: `registry.sources.own.layout` needs `registry.sources.own.prefix`
              --> turnout.yaml:3:20
               |
            3  |     own: { layout: plain, endpoints: ['http://e:1'] }
               |                    ^^^^^

            turnout.yaml: 2 mistakes"#]],
    );
    check(
        "registry:\n  sources:\n    own: { layout: plain, endpoints: ['http://e:1'], prefix: /s, key: \"{service}/{what}\" }\n",
        expect![[r#"
            error: `registry.sources.own.key`: there is no field "what"
              --> turnout.yaml:3:71
               |
            3  |     own: { layout: plain, endpoints: ['http://e:1'], prefix: /s, key: "{service}/{what}" }
               |                                                                       ^^^^^^^^^^^^^^^^^^ a key looks like `{service}/{id}`

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "registry:\n  sources:\n    own: { layout: plain, endpoints: ['http://e:1'], prefix: /s, key: \"{id}\", value: json, fields: [adress=/addr] }\n",
        expect![[r#"
            error: `registry.sources.own.fields`: there is no field `adress`
              --> turnout.yaml:3:101
               |
            3  | /e:1'], prefix: /s, key: "{id}", value: json, fields: [adress=/addr] }
               |                                                        ^^^^^^^^^^^^ did you mean `address`?

            turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn only_a_plain_layout_has_a_template() {
    check(
        "registry:\n  sources:\n    own: { layout: plain, endpoints: ['http://e:1'], prefix: /s, key: \"{service}\", value: json, fields: [address=addr, port] }\n",
        expect![[r#"
            error: `registry.sources.own.fields`: the place `addr` must begin with `/`
              --> turnout.yaml:3:106
               |
            3  | ], prefix: /s, key: "{service}", value: json, fields: [address=addr, port] }
               |                                                        ^^^^^^^^^^^^ did you mean `address=/addr`?

            error: `registry.sources.own.fields`: `port` is not a field with its place
              --> turnout.yaml:3:120
               |
            3  |  key: "{service}", value: json, fields: [address=addr, port] }
               |                                                        ^^^^ write it like `address=/addr`

            turnout.yaml: 2 mistakes"#]],
    );
    check(
        "registry:\n  sources:\n    own: { layout: plain, endpoints: ['http://e:1'], prefix: /, key: \"{service}/{id}\", fields: [address=/a] }\n",
        expect![[r#"
            error: `registry.sources.own.prefix` would take the whole of etcd
              --> turnout.yaml:3:62
               |
            3  |     own: { layout: plain, endpoints: ['http://e:1'], prefix: /, key: "{service}/{id}", fields: [address=/a] }
               |                                                              ^ move the first piece of the key into the prefix

            error: `registry.sources.own.fields` has no meaning unless values are JSON
              --> turnout.yaml:3:96
               |
            3  |     own: { layout: plain, endpoints: ['http://e:1'], prefix: /, key: "{service}/{id}", fields: [address=/a] }
               |                                                                                                ^^^^^^^^^^^^ set `registry.sources.own.value: json`, or remove it

            turnout.yaml: 2 mistakes"#]],
    );
    check(
        "registry:\n  sources:\n    legacy: { layout: native, endpoints: ['http://e:1'], key: \"{service}\" }\n",
        expect![[r#"
            error: `registry.sources.legacy.key` has no meaning unless `registry.sources.legacy.layout` is `plain`
              --> turnout.yaml:3:63
               |
            3  |     legacy: { layout: native, endpoints: ['http://e:1'], key: "{service}" }
               |                                                               ^^^^^^^^^^^ set `registry.sources.legacy.layout: plain`, or remove it

            turnout.yaml: 1 mistake"#]],
    );
}

#[test]
fn what_policy_cannot_state() {
    check(
        "services:\n  cart: { protocol: kitex-thrift }\n",
        expect![[r#"
            error: `services.cart.protocol`: takes `grpc`, not `kitex-thrift`
              --> turnout.yaml:2:21
               |
            2  |   cart: { protocol: kitex-thrift }
               |                     ^^^^^^^^^^^^

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "services:\n  cart: { version: v1.2 }\n",
        expect![[r#"
            error: `services.cart.version`: `v1.2` is no version by semver.org, such as "1.5.0": unexpected character 'v' while parsing major version number
              --> turnout.yaml:2:20
               |
            2  |   cart: { version: v1.2 }
               |                    ^^^^

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "services:\n  cart: { schema: reflections }\n",
        expect![[r#"
            error: `services.cart.schema`: `reflections` is neither a word that is known nor a path
              --> turnout.yaml:2:19
               |
            2  |   cart: { schema: reflections }
               |                   ^^^^^^^^^^^ did you mean `reflection`?

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "services:\n  cart: { schema: 'sha256:12' }\n",
        expect![[r#"
            error: `services.cart.schema`: `sha256:12` must have 64 hexadecimal digits after "sha256:", but has 2
              --> turnout.yaml:2:19
               |
            2  |   cart: { schema: 'sha256:12' }
               |                   ^^^^^^^^^^^

            turnout.yaml: 1 mistake"#]],
    );
    check(
        "services:\n  cart: { tls: grpcs }\n",
        expect![[r#"
            error: `services.cart.tls`: takes `true` or `false`, not `grpcs`
              --> turnout.yaml:2:16
               |
            2  |   cart: { tls: grpcs }
               |                ^^^^^

            turnout.yaml: 1 mistake"#]],
    );
}
