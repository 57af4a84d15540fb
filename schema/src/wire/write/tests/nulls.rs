//! Where nulls go, what is said about them, and what is too much.

use std::sync::LazyLock;

use expect_test::expect;

use super::{Brings, Case, Step, bytes, check, graph, int, message};
use crate::Supergraph;
use crate::wire::write::Why;

static NESTED: LazyLock<Supergraph> = LazyLock::new(|| {
    graph(
        "message Ask { Ask inner = 1; repeated Ask all = 2; string must = 3; optional string may = 4; repeated string texts = 5;
           map<string, string> by = 6; int32 n = 7; }",
    )
});

const BAD: &[u8] = b"\xff";

#[test]
fn a_null_goes_to_the_nearest_parent_that_may_be_null() {
    let bad = [bytes(3, BAD), int(7, 1)].concat();
    check(
        &NESTED,
        "{ do { n inner { n inner { n must n2: n } n2: n } last: n } }",
        [int(7, 1), bytes(1, [int(7, 2), bytes(1, &bad)].concat())].concat(),
        &expect![[r#"
            {"do":{"n":1,"inner":{"n":2,"inner":null,"n2":2},"last":1}}
            1:30 do.inner.inner.must: Utf8"#]],
    );
    check(
        &NESTED,
        "{ first: do { n } second: do { a: n inner { b: must } c: must } }",
        [bytes(1, &bad), bytes(3, BAD)].concat(),
        &expect![[r#"
            {"first":{"n":0},"second":null}
            1:45 second.inner.b: Utf8
            1:55 second.c: Utf8"#]],
    );
}

#[test]
fn an_item_that_fails_takes_its_list_with_it() {
    check(
        &NESTED,
        "{ do { n inner { n all { must may } n2: n } texts } }",
        message(
            1,
            &[
                message(2, &[bytes(3, "a")]),
                message(2, &[bytes(3, "b"), bytes(4, BAD)]),
                message(2, &[bytes(3, BAD)]),
            ],
        ),
        &expect![[r#"
            {"do":{"n":0,"inner":null,"texts":[]}}
            1:31 do.inner.all.1.may: Utf8
            1:26 do.inner.all.2.must: Utf8"#]],
    );
    check(
        &NESTED,
        "{ do { inner { texts } by { key value } } }",
        [message(1, &[bytes(5, "a"), bytes(5, BAD), bytes(5, BAD)]), message(6, &[bytes(2, "v")])].concat(),
        &expect![[r#"
            {"do":{"inner":null,"by":[{"key":"","value":"v"}]}}
            1:16 do.inner.texts.1: Utf8"#]],
    );
    check(
        &NESTED,
        "{ do { by { value key } } }",
        [message(6, &[bytes(1, BAD), bytes(2, "v")])].concat(),
        &expect![[r#"
            {"do":null}
            1:19 do.by.0.key: Utf8"#]],
    );
}

#[test]
fn a_field_that_is_required_and_absent_is_an_error() {
    let proto = "syntax = \"proto2\"; package t.v1; import \"google/protobuf/empty.proto\";
        service S { rpc Do(google.protobuf.Empty) returns (Ask) { option idempotency_level = NO_SIDE_EFFECTS; } }
        message Ask { required int32 a = 1; optional int32 b = 2; optional group G = 3 { required string c = 4; }
          optional Ask again = 5; }";
    let graph = super::composed(&[crate::fixture::subgraph("t", proto)]);
    let group = [vec![0x1b], bytes(4, "x"), vec![0x1c]].concat();
    check(
        &graph,
        "{ do { a b g { c } again { a b g { c } } } }",
        [int(1, 5), group, message(5, &[int(2, 1)])].concat(),
        &expect![[r#"
            {"do":{"a":5,"b":null,"g":{"c":"x"},"again":null}}
            1:28 do.again.a: Required"#]],
    );
}

#[test]
fn conditions_and_their_order_are_obeyed() {
    let document = "query($y: Boolean!) { do { a: n @include(if: $y) b: n @skip(if: $y) ... @include(if: $y) { c: n d: must } d: must c: n } }";
    let brings = [("Do", Brings::Bytes(int(7, 1)))];
    let case = Case::new(&NESTED, document, &brings);
    case.check(&expect![[r#"{"do":{"a":1,"c":1,"d":""}}"#]]);
    Case { yes: false, ..case }.check(&expect![[r#"{"do":{"b":1,"d":"","c":1}}"#]]);
    let document = "query($y: Boolean!) { do { n @skip(if: $y) } }";
    Case::new(&NESTED, document, &brings).check(&expect![[r#"{"do":{}}"#]]);
}

#[test]
fn a_call_that_failed_is_null_and_one_that_was_not_made_is_silent() {
    let document = "{ do { n } }";
    Case::new(&NESTED, document, &[("Do", Brings::Fails)]).check(&expect![[r#"
        {"do":null}
        1:3 do: Call(Failure(0))"#]]);
    Case::new(&NESTED, document, &[]).check(&expect![[r#"{"do":null}"#]]);
}

#[test]
fn a_hundred_errors_are_told_and_the_others_counted() {
    let items: Vec<Vec<u8>> = (0..130).map(|_| message(2, &[bytes(4, BAD), int(7, 3)])).collect();
    let brings = [("Do", Brings::Bytes(items.concat()))];
    let (text, written) = Case::new(&NESTED, "{ do { all { may n } } }", &brings).written();
    assert_eq!((written.errors.len(), written.errors_more), (100, 30));
    assert_eq!(text.matches(r#"{"may":null,"n":3}"#).count(), 130);
    assert_eq!(written.errors[99].path[2], Step::Index(99));
}

#[test]
fn an_answer_that_is_too_large_is_nothing_at_all() {
    let items: Vec<Vec<u8>> = (0..10).map(|at| message(2, &[bytes(3, "0123456789"), int(7, at)])).collect();
    let brings = [("Do", Brings::Bytes(items.concat()))];
    let case = Case::new(&NESTED, "{ do { all { n must } } }", &brings);
    let (whole, _) = case.written();
    Case { bytes_max: 100, ..case }.check(&expect![[r#"
        null
        1:14 do.all.3.n: TooLarge"#]]);
    let case = Case::new(&NESTED, "{ do { all { n must } } }", &brings);
    assert_eq!(Case { bytes_max: whole.len(), ..case }.written().0, whole);
}

#[test]
fn what_was_written_in_vain_counts_as_well() {
    // Each `inner` is written down to its last field and taken back.
    let inner: Vec<Vec<u8>> = (0..50).map(|_| bytes(5, "0123456789")).collect();
    let inner = bytes(1, [inner.concat(), bytes(3, BAD)].concat());
    let aliases: Vec<String> = (0..40).map(|at| format!("i{at}: inner {{ texts must }}")).collect();
    let document = format!("{{ do {{ {} }} }}", aliases.join(" "));
    let brings = [("Do", Brings::Bytes(inner))];
    let case = Case { bytes_max: 10_000, ..Case::new(&NESTED, &document, &brings) };
    let (text, written) = case.written();
    assert_eq!(text, "null");
    let last = written.errors.last().unwrap();
    assert_eq!((super::path(&last.path).as_str(), last.why), ("do.i14", Why::TooLarge));
    assert_eq!(written.errors.iter().filter(|error| error.why == Why::TooLarge).count(), 1);
}

#[test]
fn what_is_looked_at_in_vain_counts_as_well() {
    // Of a thousand entries with one key the last one counts, and a message may be asked for by many.
    let entries: Vec<Vec<u8>> = (0..1000).map(|_| message(6, &[bytes(1, "k")])).collect();
    let aliases: Vec<String> = (0..200).map(|at| format!("b{at}: by {{ key }}")).collect();
    let document = format!("{{ do {{ {} }} }}", aliases.join(" "));
    let brings = [("Do", Brings::Bytes(entries.concat()))];
    let case = Case::new(&NESTED, &document, &brings);
    assert!(case.written().0.len() < 10_000);
    let (text, written) = Case { bytes_max: 10_000, ..case }.written();
    assert_eq!(text, "null");
    assert_eq!(
        (super::path(&written.errors[0].path).as_str(), written.errors[0].why),
        ("do.b160", Why::TooLarge)
    );
    assert_eq!(written.errors.len(), 1);
}

#[test]
fn an_answer_may_be_deep() {
    let depth = 28;
    let mut value = Vec::new();
    let mut document = "n".to_owned();
    for _ in 0..depth {
        value = bytes(1, value);
        document = format!("inner {{ {document} }}");
    }
    let brings = [("Do", Brings::Bytes(value))];
    let (text, written) = Case::new(&NESTED, &format!("{{ do {{ {document} }} }}"), &brings).written();
    assert!(written.errors.is_empty());
    assert_eq!(text.matches("inner").count(), depth);
}
