//! Entries that are wrong: each is refused with a reason, and none is taken for something else.

use super::{Row, everything, told, unread};
use crate::layout::Layout;
use expect_test::{Expect, expect};

fn check(layout: &Layout, prefix: &str, rows: &[Row<'_>], expected: Expect) {
    let told = told(layout, prefix, rows);
    let taken = |line: &&str| line.starts_with("instance") || line.starts_with("ignored");
    assert_eq!(told.lines().find(taken), None);
    assert_eq!(told.lines().count(), rows.len());
    expected.assert_eq(&told);
}

#[test]
fn native() {
    let good = r#""version":"1.5.0","endpoints":[{"url":"grpc://10.0.0.7:1"}]"#;
    let with = |more: &str| format!("{{{good},{more}}}");
    let values = [
        "{".to_owned(),
        "[]".to_owned(),
        with(r#""v":2"#),
        with(r#""codec":"thrift""#),
        with(r#""schema":{"kind":"thrift-bundle","digest":"sha256:00"}"#),
        with(r#""schema":{"digest":"sha256:00"}"#),
        with(r#""service":"orders""#),
        with(r#""id":"b""#),
        with(r#""weight":"70""#),
        with(r#""weight":1001"#),
        with(r#""incarnation":-1"#),
        with(r#""state":"dead""#),
        with(r#""meta":{"a":1}"#),
        r#"{"endpoints":[{"url":"grpc://10.0.0.7:1"}]}"#.to_owned(),
        r#"{"version":"1.5.0"}"#.to_owned(),
        r#"{"version":"1.5.0","endpoints":["grpc://10.0.0.7:1"]}"#.to_owned(),
        r#"{"version":"1.5.0","endpoints":[{"url":"grpc://127.0.0.1:1"}]}"#.to_owned(),
        with(&format!(r#""x":"{}""#, "x".repeat(64 << 10))),
    ];
    let mut rows: Vec<Row<'_>> =
        values.iter().map(|value| ("/turnout/v1/instances/catalog/a", value.as_str())).collect();
    rows.extend([
        ("/turnout/v1/instances/catalog", "{}"),
        ("/turnout/v1/instances/catalog/a/b", "{}"),
        ("/turnout/v1/services/catalog/a", "{}"),
        (
            "/turnout/v1/instances/cat alog/a",
            r#"{"version":"1.5.0","endpoints":[{"url":"grpc://10.0.0.7:1"}]}"#,
        ),
    ]);
    check(
        &Layout::Native,
        "/turnout/v1/instances",
        &rows,
        expect![[r#"
        its value is no JSON: EOF while parsing an object at line 1 column 1
        its value must be a JSON object
        the field v must be 1, the layout that this gateway reads
        the field codec must be "protobuf"
        the field schema.kind must be "proto-fds"
        schema.digest must have 64 hexadecimal digits after "sha256:", but has 2
        the field service is "orders", and the key names another
        the field id is "b", and the key names another
        the field weight must be a whole number
        weight must be from 0 to 1000
        the field incarnation must be a whole number from 0 on
        state must be "up" or "draining"
        the field meta.a must be a text
        version must not be empty; a version looks like "1.5.0"
        endpoints must have at least one, such as {"url": "grpc://10.0.0.7:50051"}
        the field endpoints[0] must be an object
        endpoints[0].url has the address 127.0.0.1, which is outside registry.allow_cidrs
        its value has 65604 bytes, and 65536 are allowed
        its key must have two pieces below the prefix: a service and an id
        its key must have two pieces below the prefix: a service and an id
        its key is not below the prefix of the source
        service may only have letters, digits, ".", "_" and "-", but has ' '
    "#]],
    );
}

#[test]
fn kitex() {
    let rows = [
        ("cart/10.0.0.7:1", ""),
        ("cart/10.0.0.7:1", "10.0.0.7:1"),
        ("cart/10.0.0.7:1", r#"{"network":"unix","address":"/tmp/cart.sock"}"#),
        ("cart/10.0.0.7:1", r#"{"network":"tcp","address":"10.0.0.7:1","weight":"10"}"#),
        ("cart/10.0.0.7:1", r#"{"network":"tcp","address":"10.0.0.7:1","tags":["a"]}"#),
        ("cart/10.0.0.7:1", r#"{"network":"tcp","address":"10.0.0.7:1","tags":{"two\nlines":1}}"#),
        ("cart/10.0.0.7:1", r#"{"network":"tcp","address":"[::]:8888","weight":10,"tags":null}"#),
        ("cart/10.0.0.7:1", r#"{"network":"tcp","address":"169.254.169.254:80","weight":10,"tags":null}"#),
        ("cart/a", r#"{"network":"tcp","weight":10}"#),
        ("cart/prod/10.0.0.7:1", r#"{"network":"tcp","address":"10.0.0.7:1"}"#),
        ("cart/", r#"{"network":"tcp","address":"10.0.0.7:1"}"#),
    ];
    check(
        &Layout::Kitex,
        "",
        &rows,
        expect![[r#"
            its value is no JSON: EOF while parsing a value at line 1 column 0
            its value is no JSON: trailing characters at line 1 column 5
            the field network must be "tcp"
            the field weight must be a whole number
            the field tags must be an object
            the field tags.two\nlines must be a text
            endpoints[0].url has the address ::, which means "anywhere": give the one to call
            endpoints[0].url has the address 169.254.169.254, which is outside registry.allow_cidrs
            endpoints[0].url must end with a port, such as ":50051"
            its key must have two pieces below the prefix: a service and an id
            its key must have two pieces below the prefix: a service and an id
        "#]],
    );
}

#[test]
fn kratos() {
    let rows = [
        ("/microservices/foo/a", "null"),
        ("/microservices/foo/a", r#"{"id":"a","name":"foo2","endpoints":["grpc://10.0.0.7:1"]}"#),
        ("/microservices/foo/a", r#"{"id":"b","name":"foo","endpoints":["grpc://10.0.0.7:1"]}"#),
        ("/microservices/foo/a", r#"{"id":"a","name":"foo","endpoints":[]}"#),
        ("/microservices/foo/a", r#"{"id":"a","name":"foo","endpoints":"grpc://10.0.0.7:1"}"#),
        (
            "/microservices/foo/a",
            r#"{"id":"a","name":"foo","endpoints":["grpc://10.0.0.7:1/x?isSecure=true"]}"#,
        ),
        ("/microservices/foo/a", r#"{"id":"a","name":"foo","endpoints":["grpc://10.0.0.7"]}"#),
        (
            "/microservices/foo/a",
            r#"{"id":"a","name":"foo","metadata":{"weight":30},"endpoints":["grpc://10.0.0.7:1"]}"#,
        ),
        (
            "/microservices/foo/a",
            r#"{"id":"a","name":"foo","metadata":{"weight":"-1"},"endpoints":["grpc://10.0.0.7:1"]}"#,
        ),
        ("/microservices2/foo/a", r#"{"id":"a","name":"foo","endpoints":["grpc://10.0.0.7:1"]}"#),
    ];
    check(
        &Layout::Kratos,
        "/microservices",
        &rows,
        expect![[r#"
        its value must be a JSON object
        the field name is "foo2", and the key names another
        the field id is "b", and the key names another
        endpoints must have at least one, such as {"url": "grpc://10.0.0.7:50051"}
        the field endpoints must be a list
        endpoints[0].url must be only a host and a port, but has '/'
        endpoints[0].url must end with a port, such as ":50051"
        the field metadata.weight must be a text
        weight must be from 0 to 1000
        its key is not below the prefix of the source
    "#]],
    );
}

#[test]
fn go_zero() {
    let rows = [
        ("user.rpc/7", ""),
        ("user.rpc/7", "10.0.0.7"),
        ("user.rpc/7", r#"{"addr":"10.0.0.7:1"}"#),
        ("user.rpc/7", "grpc://10.0.0.7:1"),
        ("user.rpc/7", "0.0.0.0:8080"),
        ("user.rpc/7", "10.0.0.7:99999"),
        ("user.rpc/lease", "10.0.0.7:1"),
        ("user.rpc", "10.0.0.7:1"),
        ("shop/user.rpc/7", "10.0.0.7:1"),
    ];
    check(
        &Layout::GoZero,
        "",
        &rows,
        expect![[r#"
        its value must be a host and a port, and is empty
        endpoints[0].url must end with a port, such as ":50051"
        endpoints[0].url has the port "1\"}", which is not a number from 1 to 65535
        endpoints[0].url must be only a host and a port, but has '/'
        endpoints[0].url has the address 0.0.0.0, which means "anywhere": give the one to call
        endpoints[0].url has the port "99999", which is not a number from 1 to 65535
        its key must end with a lease or an id in decimal digits
        its key must have two pieces below the prefix: a service and an id
        its key must have two pieces below the prefix: a service and an id
    "#]],
    );
}

#[test]
fn go_micro() {
    let rows = [
        ("cart/cart-1", "{]"),
        ("cart/cart-1", r#"{"name":"cart","nodes":[]}"#),
        ("cart/cart-1", r#"{"name":"cart","nodes":[{"id":"cart-1"},{"id":"cart-2"}]}"#),
        ("cart/cart-1", r#"{"name":"orders","nodes":[{"id":"cart-1","metadata":{"protocol":"grpc"}}]}"#),
        ("cart/cart-1", r#"{"name":"cart","nodes":[{"id":"cart-2","metadata":{"protocol":"grpc"}}]}"#),
        ("cart/cart-1", r#"{"name":"cart","nodes":[{"id":"cart-1","metadata":{"protocol":"grpc"}}]}"#),
        (
            "cart/cart-1",
            r#"{"name":"cart","nodes":[{"id":"cart-1","address":"[::]:1","metadata":{"protocol":"grpc"}}]}"#,
        ),
        ("cart/cart-1", r#"{"name":"cart","nodes":[{"id":"cart-1","metadata":"grpc"}]}"#),
        ("cart/cart-1", r#"{"name":"cart","nodes":["cart-1"]}"#),
        ("cart", r#"{"name":"cart"}"#),
    ];
    check(
        &Layout::GoMicro,
        "",
        &rows,
        expect![[r#"
        its value is no JSON: key must be a string at line 1 column 2
        the field nodes must have exactly one entry
        the field nodes must have exactly one entry
        the field name is "orders", and the key names another
        the field nodes[0].id is "cart-2", and the key names another
        endpoints[0].url must end with a port, such as ":50051"
        endpoints[0].url has the address ::, which means "anywhere": give the one to call
        the field nodes[0].metadata must be an object
        the field nodes[0] must be an object
        its key must have two pieces below the prefix: a service and an id
    "#]],
    );
}

#[test]
fn grpc_naming() {
    let rows = [
        ("service/user/a", "10.0.0.7:1"),
        ("service/user/a", r#"{"Op":2,"Addr":"10.0.0.7:1"}"#),
        ("service/user/a", r#"{"Op":"add","Addr":"10.0.0.7:1"}"#),
        ("service/user/a", r#"{"Op":0,"Metadata":null}"#),
        ("service/user/a", r#"{"Op":0,"Addr":["10.0.0.7:1"]}"#),
        ("service/user/a", r#"{"Op":0,"Addr":"passthrough:///10.0.0.7:1"}"#),
        ("service/user", r#"{"Op":0,"Addr":"10.0.0.7:1"}"#),
        ("services/user/a", r#"{"Op":0,"Addr":"10.0.0.7:1"}"#),
    ];
    check(
        &Layout::GrpcNaming,
        "service",
        &rows,
        expect![[r#"
        its value is no JSON: trailing characters at line 1 column 5
        the field Op must be 0 or 1
        the field Op must be a whole number
        the field Addr must be a host and a port
        the field Addr must be a text
        endpoints[0].url must be only a host and a port, but has '/'
        its key must have two pieces below the prefix: a target and an id
        its key is not below the prefix of the source
    "#]],
    );
}

#[test]
fn todolist() {
    let rows = [
        ("/user/10.0.0.7:1", ""),
        ("/user/10.0.0.7:1", "hello"),
        ("/user", "hello"),
        ("/services/cart/10.0.0.7:1", "10.0.0.7:1"),
        ("/user/10.0.0.7:1", r#"["10.0.0.7:1"]"#),
        ("/user/10.0.0.7:1", r#"{"name":"user","addr":"10.0.0.7"}"#),
        ("/user/10.0.0.7:1", r#"{"name":"user","addr":"10.0.0.7:1","weight":"8"}"#),
        ("/user/10.0.0.7:1", r#"{"name":"user","addr":"10.0.0.7:1","weight":-8}"#),
        ("/user/10.0.0.7:1", r#"{"name":"user","addr":":10001"}"#),
        ("/user/10.0.0.7:1", r#"{"name":"task","addr":"10.0.0.7:1"}"#),
        ("/", r#"{"name":"user","addr":"10.0.0.7:1"}"#),
        ("/a/b/c/10.0.0.7:1", r#"{"name":"a","addr":"10.0.0.7:1"}"#),
        ("/microservices/cart/a", r#"{"id":"a","name":"cart","endpoints":["grpc://10.0.0.7:1"]}"#),
        ("/micro/registry/a", r#"{"id":"a","endpoints":[]}"#),
    ];
    check(
        &Layout::Todolist,
        "/",
        &rows,
        expect![[r#"
            its value is no JSON: EOF while parsing a value at line 1 column 0
            its value is no JSON: expected value at line 1 column 1
            its value is no JSON: expected value at line 1 column 1
            its value is no JSON: trailing characters at line 1 column 5
            its value must be a JSON object
            the field addr must be a host and a port, here or at the end of the key
            the field weight must be a whole number
            weight must be from 0 to 1000
            the field addr must be a host and a port, here or at the end of the key
            the field name is "task", and the key names another
            its key must be a service, maybe a version, and an address
            its key must be a service, maybe a version, and an address
            the field name is "cart", and the key names another
            the field addr must be a host and a port, here or at the end of the key
        "#]],
    );
}

#[test]
fn plain() {
    let rows = [
        ("/services/cart/1.0.0/a", ""),
        ("/services/cart/1.0.0/a", "ftp://10.0.0.7:1"),
        ("/services/cart/1.0.0/a", "http://10.0.0.7:1/path"),
        ("/services/cart/1.0.0/a", "http://user:secret@10.0.0.7:1"),
        ("/services/cart/1.0.0", "10.0.0.7:1"),
        ("/services/cart//a", "10.0.0.7:1"),
    ];
    check(
        &super::text(),
        "",
        &rows,
        expect![[r#"
        the field address is not in the key or the value
        the field address must be of the scheme grpc, grpcs, http, https or tri
        endpoints[0].url must be only a host and a port, but has '/'
        endpoints[0].url must be only a host and a port, but has '@'
        its key does not fit the template
        its key does not fit the template
    "#]],
    );
    let rows = [
        ("/services/cart/a", "10.0.0.7:1"),
        ("/services/cart/a", r#"{"net":[]}"#),
        ("/services/cart/a", r#"{"net":[{"ip":"10.0.0.7"}]}"#),
        ("/services/cart/a", r#"{"net":[{"ip":["10.0.0.7"],"port":1}]}"#),
        ("/services/cart/a", r#"{"net":[{"ip":"10.0.0.7","port":1.5}]}"#),
        ("/services/cart/a", r#"{"net":[{"ip":"10.0.0.7","port":1}],"weight":"heavy"}"#),
        ("/services/cart/a", r#"{"net":[{"ip":"10.0.0.7","port":1}],"weight":-1}"#),
    ];
    check(
        &everything(),
        "",
        &rows,
        expect![[r#"
        its value is no JSON: trailing characters at line 1 column 5
        the field address is not in the key or the value
        endpoints[0].url has the port "", which is not a number from 1 to 65535
        the field /net/0/ip must be a text or a number
        endpoints[0].url has the port "1.5", which is not a number from 1 to 65535
        the field weight must be a whole number
        weight must be from 0 to 1000
    "#]],
    );
    check(
        &unread(),
        "",
        &[("cart/10.0.0.7/http", "")],
        expect![[r#"
        endpoints[0].url has the port "http", which is not a number from 1 to 65535
    "#]],
    );
}
