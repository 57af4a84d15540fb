//! Entries as each framework writes them.

use super::{Row, everything, told, unread};
use crate::layout::{Entry, Layout, Said};
use expect_test::{Expect, expect};

fn check(layout: &Layout, prefix: &str, rows: &[Row<'_>], expected: Expect) {
    expected.assert_eq(&told(layout, prefix, rows));
}

#[test]
fn native_says_all_and_names_what_it_passed_over() {
    let rows = [
        (
            "/turnout/v1/instances/catalog/host-50051-1763700000",
            r#"{"v":1,"service":"catalog","id":"host-50051-1763700000","version":"1.5.0","incarnation":1763700000000000000,"endpoints":[{"url":"grpc://10.0.0.7:50051","zone":"a"},{"url":"grpcs://catalog.shop.svc:443"}],"codec":"protobuf","weight":70,"state":"draining","schema":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","kind":"proto-fds","services":["shop.v1.Catalog"]},"health":"tcp","meta":{"team":"shop"},"registered_at":"2026-11-21T10:00:00Z"}"#,
        ),
        (
            "/turnout/v1/instances/catalog/a",
            r#"{"version":"1.5.0-rc.1","endpoints":[{"url":"grpc://10.0.0.7:50051"}],"colour":"red"}"#,
        ),
    ];
    check(
        &Layout::Native,
        "/turnout/v1/instances",
        &rows,
        expect![[r#"
            instance of 1.5.0: catalog/host-50051-1763700000 grpc://10.0.0.7:50051 grpcs://catalog.shop.svc:443 weight 70 Draining Tcp {"team": "shop"}
            instance of 1.5.0-rc.1: catalog/a grpc://10.0.0.7:50051 weight 100 Up Grpc {}
              warning[UNKNOWN_FIELD]: The registration has the field "colour", which this gateway does not know. Check its spelling, or leave it out.
        "#]],
    );
}

#[test]
fn kitex_weights_are_tenths_and_null_tags_are_none() {
    let rows = [
        (
            "kitex/registry-etcd/todo.user/10.0.0.7:8888",
            r#"{"network":"tcp","address":"10.0.0.7:8888","weight":10,"tags":null}"#,
        ),
        (
            "kitex/registry-etcd/todo.user/[fd00::1]:8888",
            r#"{"network":"tcp","address":"[fd00::1]:8888","weight":0,"tags":{"cluster":"blue"}}"#,
        ),
        (
            "kitex/registry-etcd/todo.user/10.0.0.8:8888",
            r#"{"network":"tcp","address":"10.0.0.8:8888","weight":400,"tags":{}}"#,
        ),
    ];
    check(
        &Layout::Kitex,
        "kitex/registry-etcd",
        &rows,
        expect![[r#"
            instance of no version (""): todo.user/10.0.0.7-8888 grpc://10.0.0.7:8888 weight 100 Up Tcp {}
            instance of no version (""): todo.user/x-73b1f8b7cc3a50d9913f3dc7aafa8713 grpc://[fd00::1]:8888 weight 100 Up Tcp {"cluster": "blue"}
            instance of no version (""): todo.user/10.0.0.8-8888 grpc://10.0.0.8:8888 weight 1000 Up Tcp {}
              warning[WEIGHT_CAPPED]: The weight comes to 4000 on a scale of 0 to 1000, and is cut there. State smaller weights; only their ratio inside a service counts.
        "#]],
    );
    let bare = [(
        "/todo.user/10.0.0.7:8888",
        r#"{"network":"tcp","address":"10.0.0.7:8888","weight":5,"tags":null}"#,
    )];
    check(
        &Layout::Kitex,
        "",
        &bare,
        expect![[r#"
            instance of no version (""): todo.user/10.0.0.7-8888 grpc://10.0.0.7:8888 weight 50 Up Tcp {}
        "#]],
    );
}

#[test]
fn kratos_offers_several_endpoints_and_keeps_its_weight_in_the_metadata() {
    let rows = [
        (
            "/microservices/helloworld/7f9c1b52-8a3e-11f0-9d0c-0242ac120002",
            r#"{"id":"7f9c1b52-8a3e-11f0-9d0c-0242ac120002","name":"helloworld","version":"1.2.0","metadata":{"weight":"30"},"endpoints":["http://10.0.0.7:8000","grpc://10.0.0.7:9000"]}"#,
        ),
        (
            "/microservices/helloworld/web-1",
            r#"{"id":"web-1","name":"helloworld","version":"v1.2.0-4-gabc1234","metadata":null,"endpoints":["grpcs://10.0.0.7:9000","grpc://10.0.0.8:9000?isSecure=true","grpc://10.0.0.9:9000?isSecure=false"]}"#,
        ),
        (
            "/microservices/helloworld/web-2",
            r#"{"id":"web-2","name":"helloworld","version":"","metadata":{"weight":"heavy"},"endpoints":["grpc://10.0.0.7:9000"]}"#,
        ),
        (
            "/microservices/helloworld/web-3",
            r#"{"id":"web-3","name":"helloworld","version":"1.2.0","metadata":{},"endpoints":["http://10.0.0.7:8000"]}"#,
        ),
    ];
    check(
        &Layout::Kratos,
        "/microservices",
        &rows,
        expect![[r#"
            instance of 1.2.0: helloworld/7f9c1b52-8a3e-11f0-9d0c-0242ac120002 grpc://10.0.0.7:9000 weight 30 Up Grpc {"weight": "30"}
            instance of no version ("v1.2.0-4-gabc1234"): helloworld/web-1 grpcs://10.0.0.7:9000 grpcs://10.0.0.8:9000 grpc://10.0.0.9:9000 weight 100 Up Grpc {}
            instance of no version (""): helloworld/web-2 grpc://10.0.0.7:9000 weight 100 Up Grpc {"weight": "heavy"}
            ignored: offers no gRPC, but "http://10.0.0.7:8000"
        "#]],
    );
}

#[test]
fn go_zero_names_one_instance_under_two_leases() {
    let rows = [
        ("user.rpc/7587888513045389061", "10.0.0.7:8080"),
        ("user.rpc/7587888513045389099", "10.0.0.7:8080"),
        ("user.rpc/3", "user.default.svc:8080"),
    ];
    check(
        &Layout::GoZero,
        "",
        &rows,
        expect![[r#"
            instance of no version (""): user.rpc/10.0.0.7-8080 grpc://10.0.0.7:8080 weight 100 Up Grpc {}
            instance of no version (""): user.rpc/10.0.0.7-8080 grpc://10.0.0.7:8080 weight 100 Up Grpc {}
            instance of no version (""): user.rpc/user.default.svc-8080 grpc://user.default.svc:8080 weight 100 Up Grpc {}
        "#]],
    );
}

#[test]
fn go_micro_is_taken_only_when_its_server_is_grpc() {
    let rows = [
        (
            "/micro/registry/greeter/greeter-3b0c4429",
            r#"{"name":"greeter","version":"latest","metadata":null,"endpoints":[{"name":"Say.Hello","request":{"name":"Request","type":"Request","values":[{"name":"name","type":"string","values":null}]},"response":null,"metadata":{}}],"nodes":[{"id":"greeter-3b0c4429","address":"10.0.0.7:40441","metadata":{"broker":"http","protocol":"grpc","registry":"etcd","server":"grpc","transport":"grpc"}}]}"#,
        ),
        (
            "/micro/registry/shop-greeter/shop-greeter-1",
            r#"{"name":"shop/greeter","version":"2.0.1","metadata":{},"endpoints":[],"nodes":[{"id":"shop/greeter-1","address":"10.0.0.7:40441","metadata":{"protocol":"grpc"}}]}"#,
        ),
        (
            "/micro/registry/greeter/greeter-1",
            r#"{"name":"greeter","version":"latest","metadata":null,"endpoints":null,"nodes":[{"id":"greeter-1","address":"10.0.0.7:40441","metadata":{"protocol":"mucp","transport":"grpc"}}]}"#,
        ),
        (
            "/micro/registry/greeter/greeter-2",
            r#"{"name":"greeter","version":"latest","nodes":[{"id":"greeter-2","address":"10.0.0.7:40441","metadata":null}]}"#,
        ),
    ];
    check(
        &Layout::GoMicro,
        "/micro/registry",
        &rows,
        expect![[r#"
            instance of no version ("latest"): greeter/greeter-3b0c4429 grpc://10.0.0.7:40441 weight 100 Up Tcp {"broker": "http", "protocol": "grpc", "registry": "etcd", "server": "grpc", "transport": "grpc"}
            instance of 2.0.1: shop-greeter/shop-greeter-1 grpc://10.0.0.7:40441 weight 100 Up Tcp {"protocol": "grpc"}
            ignored: offers no gRPC, but "mucp"
            ignored: offers no gRPC, but "no protocol"
        "#]],
    );
}

#[test]
fn grpc_naming_has_capitals_and_rows_that_take_away() {
    let rows = [
        ("service/user/10.0.0.7:10001", r#"{"Op":0,"Addr":"10.0.0.7:10001","Metadata":null}"#),
        (
            "service/user/7587888513045389061/10.0.0.7:10001",
            r#"{"Op":0,"Addr":"10.0.0.7:10001","Metadata":{"zone":"a","rank":3,"tags":["x"]}}"#,
        ),
        ("service/user/a", r#"{"Addr":"10.0.0.7:10001","Metadata":"CgVhbHBoYQ=="}"#),
        ("service/user/b", r#"{"Op":1,"Addr":"10.0.0.7:10001","Metadata":null}"#),
    ];
    check(
        &Layout::GrpcNaming,
        "service",
        &rows,
        expect![[r#"
            instance of no version (""): user/10.0.0.7-10001 grpc://10.0.0.7:10001 weight 100 Up Tcp {}
            instance of no version (""): user/10.0.0.7-10001 grpc://10.0.0.7:10001 weight 100 Up Tcp {"rank": "3", "zone": "a"}
            instance of no version (""): user/10.0.0.7-10001 grpc://10.0.0.7:10001 weight 100 Up Tcp {}
            ignored: says that its address was removed
        "#]],
    );
}

#[test]
fn todolist_and_its_variants_find_address_and_version_where_they_are() {
    let rows = [
        ("/user/10.0.0.7:10002", r#"{"name":"user","addr":"10.0.0.7:10002","version":"","weight":0}"#),
        (
            "/task/1.0.0/10.0.0.7:10003",
            r#"{"name":"task","addr":"10.0.0.7:10003","version":"1.0.0","weight":8}"#,
        ),
        ("/task/v2/10.0.0.7:10003", r#"{"name":"task","addr":"10.0.0.7:10003","weight":1}"#),
        ("//user//10.0.0.7:10002/", r#"{"name":"user","address":"10.0.0.7:10002","version":"","weight":0}"#),
        ("/user/10.0.0.7:10004", r#"{"name":"user"}"#),
        ("/user", "10.0.0.7:10002"),
    ];
    check(
        &Layout::Todolist,
        "/",
        &rows,
        expect![[r#"
            instance of no version (""): user/10.0.0.7-10002 grpc://10.0.0.7:10002 weight 100 Up Tcp {}
            instance of 1.0.0: task/10.0.0.7-10003 grpc://10.0.0.7:10003 weight 8 Up Tcp {}
            instance of no version ("v2"): task/10.0.0.7-10003 grpc://10.0.0.7:10003 weight 1 Up Tcp {}
            instance of no version (""): user/10.0.0.7-10002 grpc://10.0.0.7:10002 weight 100 Up Tcp {}
            instance of no version (""): user/10.0.0.7-10004 grpc://10.0.0.7:10004 weight 100 Up Tcp {}
            instance of no version (""): user/10.0.0.7-10002 grpc://10.0.0.7:10002 weight 100 Up Tcp {}
        "#]],
    );
}

#[test]
fn plain_takes_fields_from_keys_texts_and_pointers() {
    let rows = [
        ("/services/cart/1.2.0/a", "10.0.0.7:8080"),
        ("/services/cart/1.2.0/10.0.0.7:8080", "https://10.0.0.7:8080\n"),
        ("/services/cart/2/b", "tri://[fd00::1]:20000"),
    ];
    check(
        &super::text(),
        "",
        &rows,
        expect![[r#"
            instance of 1.2.0: cart/a grpc://10.0.0.7:8080 weight 100 Up Tcp {}
            instance of 1.2.0: cart/10.0.0.7-8080 grpcs://10.0.0.7:8080 weight 100 Up Tcp {}
            instance of no version ("2"): cart/b grpc://[fd00::1]:20000 weight 100 Up Tcp {}
        "#]],
    );
    let rows = [
        (
            "/services/cart/a",
            r#"{"build":{"version":"1.2.0"},"net":[{"ip":"10.0.0.7","port":8080}],"weight":"40","labels":{"zone":"a","rank":2,"on":true}}"#,
        ),
        ("/services/cart/b", r#"{"net":[{"ip":"fd00::1","port":"8080"}],"weight":0}"#),
    ];
    check(
        &everything(),
        "",
        &rows,
        expect![[r#"
            instance of 1.2.0: cart/a grpc://10.0.0.7:8080 weight 40 Up Tcp {"rank": "2", "zone": "a"}
            instance of no version (""): cart/b grpc://[fd00::1]:8080 weight 0 Up Tcp {}
        "#]],
    );
    check(
        &unread(),
        "/rpc",
        &[("/rpc/cart/10.0.0.7/8080", "\u{1}")],
        expect![[r#"
            instance of no version (""): cart/10.0.0.7-8080 grpc://10.0.0.7:8080 weight 100 Up Tcp {}
        "#]],
    );
}

#[test]
fn metadata_that_does_not_fit_keeps_no_instance_out() {
    let tags: Vec<String> = (10..50).map(|at| format!("\"k{at}\":\"v\"")).collect();
    let long = "x".repeat(300);
    let value =
        format!(r#"{{"address":"10.0.0.7:8888","weight":10,"tags":{{"long":"{long}",{}}}}}"#, tags.join(","));
    let entry = Entry { prefix: "", key: b"cart/10.0.0.7:8888", value: value.as_bytes() };
    let reading = Layout::Kitex.read(&entry, &super::terms()).unwrap();
    let Said::Unversioned(instance) = reading.said else { panic!("{:?}", reading.said) };
    assert_eq!(instance.with_version("1.0.0".parse().unwrap()).instance.meta.len(), 32);
    assert_eq!(reading.findings[0].code, "META_DROPPED");
    assert!(reading.findings[0].message.starts_with("9 of 41"), "{}", reading.findings[0].message);
}

#[test]
fn an_instance_without_a_version_tells_what_policy_must_state() {
    let read = |value: &str| {
        let entry = Entry { prefix: "", key: b"cart/a", value: value.as_bytes() };
        let reading = Layout::Kratos.read(&entry, &super::terms()).unwrap();
        let Said::Unversioned(instance) = reading.said else { panic!("{:?}", reading.said) };
        instance
    };
    let silent = read(r#"{"endpoints":["grpc://10.0.0.7:1"]}"#);
    expect!["error[VERSION_UNSTATED]: The instance a of cart states no version, and takes no calls. Set `services.cart.version` in turnout.yaml."].assert_eq(&silent.finding().to_string());
    let odd = read(r#"{"version":"latest","endpoints":["grpc://10.0.0.7:1"]}"#);
    expect![[r#"error[VERSION_UNSTATED]: The instance a of cart has "latest" for a version, which is none by semver.org, and takes no calls. Set `services.cart.version` in turnout.yaml."#]].assert_eq(&odd.finding().to_string());
    assert_eq!((silent.service().as_str(), silent.id().as_str()), ("cart", "a"));
    let stated = odd.with_version("1.4.0".parse().unwrap());
    assert_eq!(stated.instance.version.to_string(), "1.4.0");
}
