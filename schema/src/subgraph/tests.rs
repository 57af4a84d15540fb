//! What is read from descriptors, as text.

use expect_test::{Expect, expect, expect_file};

use super::{Exposure, describe, read};
use crate::fixture;

/// What a service offers, all of it public, and what there is to say about it.
fn check(text: &str, expected: Expect) {
    let reading = fixture::reading("shop", text);
    let diagnostics: String = reading.diagnostics.iter().map(|found| format!("{found}\n")).collect();
    expected.assert_eq(&format!("{}{diagnostics}", describe(&reading.subgraph)));
}

fn check_sample(service: &str, version: &str, expected: expect_test::ExpectFile) {
    let reading = read(service, version, &fixture::sample(service, version), Exposure::Annotated);
    let diagnostics: String = reading.diagnostics.iter().map(|found| format!("{found}\n")).collect();
    expected.assert_eq(&format!("{}{diagnostics}", describe(&reading.subgraph)));
}

#[test]
fn the_samples_offer_what_they_did() {
    check_sample("catalog", "1.5", expect_file!["samples/catalog-1.5.txt"]);
    check_sample("echo", "1", expect_file!["samples/echo-1.txt"]);
    check_sample("orders", "2", expect_file!["samples/orders-2.txt"]);
    check_sample("reviews", "1", expect_file!["samples/reviews-1.txt"]);
    check_sample("todo", "1", expect_file!["samples/todo-1.txt"]);
    check_sample("users", "2", expect_file!["samples/users-2.txt"]);
}

#[test]
fn a_plain_rpc_is_a_mutation() {
    check("service S { rpc Do(google.protobuf.Empty) returns (google.protobuf.Empty); }", expect![[r#"
        mutation do: DoPayload -> Do [once]
        type DoPayload
          ok: Boolean!
    "#]]);
}
