//! Whole versions: the acceptance scenario, the sample services, and each beside itself.

use expect_test::expect;

use super::*;

/// Scenario 14 of the acceptance scenarios.
#[test]
fn a_version_that_deletes_a_used_rpc_renames_retypes_or_repeats_differently_is_blocked() {
    let report = report(
        &[
            (
                "  rpc GetItem(GetItemRequest) returns (Item) { option idempotency_level = NO_SIDE_EFFECTS; }\n",
                "",
            ),
            ("string title = 2;", "string name = 2;"),
            (
                "rpc AddItem(AddItemRequest) returns (AddItemResponse);",
                "rpc AddItem(AddItemRequest) returns (AddItemResponse) { option idempotency_level = IDEMPOTENT; }",
            ),
            ("int32 stock = 3;", "uint32 stock = 3;"),
            ("  Size size = 6;", "  reserved 6; reserved \"size\";"),
        ],
        &["query Page { item(id: 1) { title stock } }"],
    );
    expect![[r#"
        no drop-in: 4 to mend, 3 to know
        block FIELD_SAME_TYPE shop.v1.Item.stock (Item.stock)
          was  int32 stock = 3
          is   uint32 stock = 3
          mend Keep the field as it is, and add the new one under a new number.
        block FIELD_SAME_NAME shop.v1.Item.title (Item.title)
          was  string title = 2
          is   string name = 2
          mend Keep the field as it is, and add the new one under a new number.
        block RPC_SAME_IDEMPOTENCY_LEVEL shop.v1.Shop.AddItem (Mutation.addItem)
          was  IDEMPOTENCY_UNKNOWN
          is   IDEMPOTENT
          mend Keep the level: it decides whether calls are repeated, and whether this is a query.
        block RPC_NO_DELETE shop.v1.Shop.GetItem (Item, Query.item)
          was  rpc GetItem
          mend Keep the RPC, deprecate it, and remove it in a new major version.
        warn FIELD_NO_DELETE shop.v1.Item.size (Item.size)
          was  shop.v1.Size size = 6
          mend Keep it and deprecate it until no frontend uses it.
        warn LOOKUP_SAME Item
          was  /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call
          is   /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call
          mend Nothing, if it was meant; joins change when this version is promoted.
        warn TYPE_REMOVED Size
          was  type
          mend Keep it and deprecate it until no frontend uses it.
        breaks query Page { item(id: 1) { title stock } } by Item.stock, Item.title, Query.item
    "#]].assert_eq(&report.to_string());
}

#[test]
fn the_newer_catalog_stands_in_for_the_older_one_and_users_2_not_for_users_1() {
    let read = |service: &str, number: &str| version(fixture::sample(service, number));
    let (old, new) = (read("catalog", "1.4"), read("catalog", "1.5"));
    let shapes = [shape(
        &composed(&old.1),
        "query Shop($first: Int) { products(pageSize: $first) { products { title category { name } kind { \
         ... on PhysicalGoods { weightGrams } } } } }",
    )];
    expect![[r#"
        a drop-in: 0 to mend, 0 to know
    "#]]
    .assert_eq(&gate((&old.0, &old.1), (&new.0, &new.1), &shapes).to_string());

    let (old, new) = (read("users", "1"), read("users", "2"));
    let report =
        gate((&old.0, &old.1), (&new.0, &new.1), &[shape(&composed(&old.1), "{ user(id: 1) { email } }")]);
    assert!(!report.drop_in);
    assert_eq!(report.findings[0].rule, Rule::PackageServiceNoDelete);
    assert_eq!(report.broken_shapes.len(), 1);
}

#[test]
fn every_version_stands_in_for_itself() {
    for (service, number) in fixture::SAMPLES {
        let only = version(fixture::sample(service, number));
        let report = gate((&only.0, &only.1), (&only.0, &only.1), &[]);
        assert_eq!(report.findings, [], "{service} {number}");
    }
    let etcd = fixture::etcd();
    let all = subgraph::read("etcd", "3.5.0", &etcd, Exposure::All).subgraph;
    assert_eq!(gate((&etcd, &all), (&etcd, &all), &[]).findings, []);
}
