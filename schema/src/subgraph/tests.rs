//! What is read from descriptors, as text.

use expect_test::{Expect, expect};

use super::{Exposure, describe, read};
use crate::fixture;

/// What a service offers, all of it public, and what there is to say about it.
fn check(text: &str, expected: Expect) {
    let reading = fixture::reading("shop", text);
    let diagnostics: String = reading.diagnostics.iter().map(|found| format!("{found}\n")).collect();
    expected.assert_eq(&format!("{}{diagnostics}", describe(&reading.subgraph)));
}

fn check_sample(service: &str, version: &str, expected: Expect) {
    let reading = read(service, version, &fixture::sample(service, version), Exposure::Annotated);
    let diagnostics: String = reading.diagnostics.iter().map(|found| format!("{found}\n")).collect();
    expected.assert_eq(&format!("{}{diagnostics}", describe(&reading.subgraph)));
}

#[test]
fn the_catalog_offers_products_and_categories() {
    check_sample(
        "catalog",
        "1.5",
        expect![[r#"
        query product(id: ID!): Product -> GetProduct [reads] . product
        query products(pageSize: Int, pageToken: String, categoryId: ID, status: ProductStatus, orderBy: ProductOrder): ListProductsResponse -> ListProducts [reads cost 5]
        query suggestProducts(text: String!, limit: Int): [Product!] -> SuggestProducts [reads cost 3] . products
        mutation createProduct(product: ProductInput!): Product -> CreateProduct [once] . product
        mutation adjustStock(productId: ID!, delta: Int!): AdjustStockResponse -> AdjustStock [once]
        query category(id: ID!): Category -> GetCategory [reads] . category
        query categories: [Category!] -> ListCategories [reads] . categories
        entity Category by id
        entity Product by id
        lookup Product -> GetProduct [reads] by id . product matched by id, 1 at most
        lookup Product -> BatchGetProducts [reads] by ids . products matched by id, 100 at most
        lookup Category -> GetCategory [reads] by id . category matched by id, 1 at most
        lookup Category -> BatchGetCategories [reads] by ids . categories matched by id, 200 at most
        type AdjustStockResponse
          product: Product = 1 optional message
          previousStock: UInt32! = 2 implicit uint32
        type Category
          id: ID! = 1 implicit uint32
          name: String! = 2 implicit string
          parent: Category = 3 optional message
          childIds: [ID!]! = 4 repeated uint32
          children: [Category!] -> Category by child_ids
          productCount: UInt32! = 5 implicit uint32
        scalar DateTime
        type DigitalGoods
          mediaType: String! = 1 implicit string
          sizeBytes: UInt64! = 2 implicit uint64
        input DigitalGoodsInput
          mediaType: String = 1 implicit string
          sizeBytes: UInt64 = 2 implicit uint64
        scalar Duration
        scalar Int64
        type ListProductsResponse
          products: [Product!]! = 1 repeated message
          nextPageToken: String! = 2 implicit string
          totalSize: UInt32! = 3 implicit uint32
        type Money
          currencyCode: String! = 1 implicit string
          units: Int64! = 2 implicit int64
          nanos: Int! = 3 implicit int32
        input MoneyInput
          currencyCode: String = 1 implicit string
          units: Int64 = 2 implicit int64
          nanos: Int = 3 implicit int32
        type PhysicalGoods
          weightGrams: UInt32! = 1 implicit uint32
          dimensions: PhysicalGoodsDimensions = 2 optional message
        type PhysicalGoodsDimensions
          lengthMm: UInt32! = 1 implicit uint32
          widthMm: UInt32! = 2 implicit uint32
          heightMm: UInt32! = 3 implicit uint32
        input PhysicalGoodsDimensionsInput
          lengthMm: UInt32 = 1 implicit uint32
          widthMm: UInt32 = 2 implicit uint32
          heightMm: UInt32 = 3 implicit uint32
        input PhysicalGoodsInput
          weightGrams: UInt32 = 1 implicit uint32
          dimensions: PhysicalGoodsDimensionsInput = 2 optional message
        type Product
          id: ID! = 1 implicit string
          title: String! = 2 implicit string
          description: String! = 3 implicit string
          price: Money = 4 optional message
          listPrice: Money = 5 optional message
          status: ProductStatus = 6 implicit enum
          categoryId: ID! = 7 implicit uint32
          category: Category -> Category by category_id
          tags: [String!]! = 8 repeated string
          attributes: [ProductAttributesEntry!]! = 9 map message
          kind: ProductKind = one of 10 PhysicalGoods, 11 DigitalGoods
          stock: UInt32 = 12 optional uint32
          createdAt: DateTime = 13 optional Timestamp
          relatedProductIds: [ID!]! = 14 repeated string
          relatedProducts: [Product!] -> Product by related_product_ids
          imageUrl: String = 15 emptyasnull string
          sku: String! = 16 implicit string (deprecated: use `id`, which is the same everywhere.)
          deliveryTime: Duration = 18 optional Duration
        type ProductAttributesEntry
          key: String! = 1 implicit string
          value: String! = 2 implicit string
        input ProductAttributesEntryInput
          key: String! = 1 implicit string
          value: String! = 2 implicit string
        input ProductInput
          id: ID = 1 implicit string
          title: String! = 2 implicit string
          description: String = 3 implicit string
          price: MoneyInput! = 4 optional message
          listPrice: MoneyInput = 5 optional message
          status: ProductStatus = 6 implicit enum
          categoryId: ID! = 7 implicit uint32
          tags: [String!] = 8 repeated string
          attributes: [ProductAttributesEntryInput!] = 9 map message
          physical: PhysicalGoodsInput = 10 optional message
          digital: DigitalGoodsInput = 11 optional message
          relatedProductIds: [ID!] = 14 repeated string
          imageUrl: String = 15 emptyasnull string
          at most one of physical, digital
        union ProductKind = PhysicalGoods | DigitalGoods
        enum ProductOrder, 0 is null
          NEWEST = 1
          PRICE_ASC = 2
          PRICE_DESC = 3
        enum ProductStatus, 0 is null
          ACTIVE = 1
          SOLD_OUT = 2
          DISCONTINUED = 3
          PREVIEW = 4 (deprecated: No longer supported)
        scalar UInt32
        scalar UInt64
        shop.catalog.v1.AdjustStockRequest.product_id: is an ID, of Product (shape)
        shop.catalog.v1.BatchGetCategoriesRequest.ids: is an ID, of Category (shape)
        shop.catalog.v1.BatchGetProductsRequest.ids: is an ID, of Product (shape)
        shop.catalog.v1.CatalogService.BatchGetProducts: loads Product by ids, in batches (shape)
        shop.catalog.v1.CatalogService.GetCategory: loads Category by id (shape)
        shop.catalog.v1.CatalogService.GetProduct: loads Product by id (shape)
        shop.catalog.v1.GetCategoryRequest.id: is an ID, of Category (shape)
        shop.catalog.v1.GetProductRequest.id: is an ID, of Product (shape)
        shop.catalog.v1.ListProductsRequest.category_id: is an ID, of Category (shape)
    "#]],
    );
}

#[test]
fn the_users_offer_resources() {
    check_sample(
        "users",
        "2",
        expect![[r#"
        query user(name: ID!): User -> GetUser [reads] mask 2 of all
        query users(parent: ID, pageSize: Int, pageToken: String): ListUsersResponse -> ListUsers [reads]
        mutation updateUser(user: UserUpdateInput!): User -> UpdateUser [idempotent] mask 2 of 1 but 1
        entity User by id
        lookup User -> BatchGetUsers [reads] by ids . users matched by id, 100 at most
        scalar Date
        scalar DateTime
        scalar JSON
        type ListUsersResponse
          users: [User!]! = 1 repeated message
          nextPageToken: String! = 2 implicit string
          totalSize: Int! = 3 implicit int32
        type User
          name: ID! = 1 implicit string
          id: ID! = 2 implicit string
          displayName: String! = 3 implicit string
          email: String! = 4 implicit string
          state: UserState = 5 implicit enum
          roles: [String!]! = 6 repeated string
          createTime: DateTime = 7 optional Timestamp
          birthday: Date = 8 optional Date
          languageCode: String! = 9 implicit string
          preferences: JSON = 10 optional Struct
          inviter: ID = 11 emptyasnull string
          addressLine: String = 13 optional string
        input UserInput
          name: ID = 1 implicit string
          displayName: String! = 3 implicit string
          email: String = 4 implicit string
          roles: [String!] = 6 repeated string
          birthday: Date = 8 optional Date
          languageCode: String = 9 implicit string
          preferences: JSON = 10 optional Struct
          password: String = 12 implicit string
          addressLine: String = 13 optional string
        enum UserState, 0 is null
          ACTIVE = 1
          UNCONFIRMED = 2
          SUSPENDED = 3
        input UserUpdateInput
          name: ID! = 1 implicit string
          displayName: String = 3 implicit string
          roles: [String!] = 6 repeated string
          birthday: Date = 8 optional Date
          languageCode: String = 9 implicit string
          preferences: JSON = 10 optional Struct
          password: String = 12 implicit string
          addressLine: String = 13 optional string
        shop.users.v2.BatchGetUsersRequest.ids: is an ID, of User (shape)
        shop.users.v2.GetUserRequest.name: is an ID (standard)
        shop.users.v2.GetUserRequest.read_mask: is filled in with the fields that are asked for (shape)
        shop.users.v2.ListUsersRequest.parent: is an ID (standard)
        shop.users.v2.UpdateUserRequest.update_mask: is filled in with the fields of `user` that are given (shape)
        shop.users.v2.User.inviter: is an ID (standard)
        shop.users.v2.User.name: is an ID (standard)
        shop.users.v2.UsersService.ListUsers: only reads, because it is a GET in HTTP (standard)
    "#]],
    );
}

#[test]
fn the_orders_extend_users() {
    check_sample(
        "orders",
        "2",
        expect![[r#"
        query order(id: ID!): Order -> GetOrder [reads] . order
        query orders(pageSize: Int, pageToken: String, statuses: [OrderStatus!], placedAfter: DateTime): ListOrdersResponse -> ListOrders [reads cost 5]
        mutation placeOrder(userId: ID!, items: [PlaceOrderItemInput!]!, card: CardPaymentInput, transfer: BankTransferInput, couponCode: String, note: String): PlaceOrderResponse -> PlaceOrder [once] at most one of card, transfer
        mutation cancelOrder(id: ID!, reason: String): Order -> CancelOrder [idempotent] . order
        subscription orderEvents(id: Int64!): WatchOrderResponse -> WatchOrder [reads]
        entity Order by id
        lookup Order -> GetOrder [reads] by id . order matched by id, 1 at most
        lookup Order -> BatchGetOrders [reads] by ids . orders matched by id, 50 at most
        extend User.orders(limit: Int, status: OrderStatus): [Order!] -> ListOrdersByUsers [reads] by user_ids . orders grouped by user_id, 100 at most
        type BankTransfer
          iban: String! = 1 implicit string
          reference: String! = 2 implicit string
        input BankTransferInput
          iban: String = 1 implicit string
          reference: String = 2 implicit string
        type CardPayment
          brand: String! = 1 implicit string
          lastDigits: String! = 2 implicit string
        input CardPaymentInput
          brand: String = 1 implicit string
          lastDigits: String = 2 implicit string
        scalar DateTime
        scalar Int64
        type ListOrdersResponse
          orders: [Order!]! = 1 repeated message
          nextPageToken: String! = 2 implicit string
        type Money
          currencyCode: String! = 1 implicit string
          units: Int64! = 2 implicit int64
          nanos: Int! = 3 implicit int32
        type Order
          id: ID! = 1 implicit int64
          userId: ID! = 2 implicit string
          user: User -> User by user_id
          status: OrderStatus = 3 implicit enum
          items: [OrderItem!]! = 4 repeated message
          total: Money = 5 optional message
          shipping: Money = 6 optional message
          placedAt: DateTime = 7 optional Timestamp
          cancelledAt: DateTime = 8 optional Timestamp
          address: ShippingAddress = 9 optional message
          paymentCase: OrderPaymentCase = case of 10 CARD, 11 TRANSFER, 12 INVOICE_NUMBER
          card: CardPayment = 10 optional message
          transfer: BankTransfer = 11 optional message
          invoiceNumber: String = 12 optional string
          couponCode: String = 13 optional wrapped string
          note: String = 14 emptyasnull string
          labels: [OrderLabelsEntry!]! = 15 map message
        type OrderItem
          productId: ID! = 1 implicit string
          product: Product -> Product by product_id
          quantity: UInt32! = 2 implicit uint32
          unitPrice: Money = 3 optional message
        type OrderLabelsEntry
          key: String! = 1 implicit string
          value: String! = 2 implicit string
        enum OrderPaymentCase
          CARD = 10
          TRANSFER = 11
          INVOICE_NUMBER = 12
        enum OrderStatus, 0 is null
          PLACED = 1
          PAID = 2
          SHIPPED = 3
          DELIVERED = 4
          CANCELLED = 5
        input PlaceOrderItemInput
          productId: ID! = 1 implicit string
          quantity: UInt32! = 2 implicit uint32
        type PlaceOrderResponse
          order: Order = 1 optional message
          queuePosition: UInt32! = 2 implicit uint32
        type ShippingAddress
          recipient: String! = 1 implicit string
          street: String! = 2 implicit string
          postalCode: String! = 3 implicit string
          city: String! = 4 implicit string
          countryCode: String! = 5 implicit string
        scalar UInt32
        type WatchOrderResponse
          sequence: UInt32! = 1 implicit uint32
          order: Order = 2 optional message
          message: String! = 3 implicit string
          happenedAt: DateTime = 4 optional Timestamp
        shop.orders.v1.BatchGetOrdersRequest.ids: is an ID, of Order (shape)
        shop.orders.v1.CancelOrderRequest.id: is an ID, of Order (shape)
        shop.orders.v1.GetOrderRequest.id: is an ID, of Order (shape)
        shop.orders.v1.ListOrdersByUsersRequest.user_ids: is an ID, of User (shape)
        shop.orders.v1.OrdersService.GetOrder: loads Order by id (shape)
        shop.orders.v1.PlaceOrderItem.product_id: is an ID, of Product (shape)
        shop.orders.v1.PlaceOrderRequest.user_id: is an ID, of User (shape)
    "#]],
    );
}

#[test]
fn every_kind_of_type_has_a_form() {
    check_sample(
        "echo",
        "1",
        expect![[r#"
        query legacyLabel(record: LegacyRecordInput!): String -> GetLabel [reads] . label
        query echo(everything: EverythingInput): EchoResponse -> Echo [reads]
        query echoScalars(doubleValue: Float, floatValue: Float, int32Value: Int!, int64Value: Int64, uint32Value: UInt32, uint64Value: UInt64, sint32Value: Int, sint64Value: Int64, fixed32Value: UInt32, fixed64Value: UInt64, sfixed32Value: Int, sfixed64Value: Int64, boolValue: Boolean, stringValue: String, bytesValue: Bytes): Scalars -> EchoScalars [reads] . scalars
        query sample(seed: UInt32): Everything -> GetSample [reads] . everything
        query tree(depth: UInt32!, width: UInt32): Node -> GetTree [reads cost 10] . root
        query echoLegacy(record: LegacyRecordInput): EchoLegacyResponse -> EchoLegacy [reads]
        query ping: PingPayload -> Ping [reads]
        query wait(duration: Duration!): WaitResponse -> Wait [reads]
        query fail(code: UInt32!, message: String, fields: [String!], retryDelay: Duration): FailResponse -> Fail [reads]
        mutation remember(key: String!, value: JSON, keepFor: Duration): RememberResponse -> Remember [idempotent]
        mutation countUp: UInt64 -> CountUp [once] . count
        query remembered(key: String!): RecallResponse -> Recall [reads]
        subscription count(from: Int, to: Int, interval: Duration): CountResponse -> Count [reads]
        scalar Bytes
        type Choices
          plainCase: ChoicesPlainCase = case of 1 TEXT, 2 NUMBER, 3 COLOUR, 4 POINT, 5 NOTHING
          text: String = 1 optional string
          number: Int64 = 2 optional int64
          colour: Colour = 3 optional enum
          point: PlacePoint = 4 optional message
          nothing: Empty = 5 optional message
          shape: Shape = one of 6 Circle, 7 Rectangle, 8 ShapeDescribed
        input ChoicesInput
          text: String = 1 optional string
          number: Int64 = 2 optional int64
          colour: Colour = 3 optional enum
          point: PlacePointInput = 4 optional message
          nothing: Boolean = 5 optional Empty
          circle: CircleInput = 6 optional message
          rectangle: RectangleInput = 7 optional message
          described: String = 8 optional string
          at most one of text, number, colour, point, nothing
          at most one of circle, rectangle, described
        enum ChoicesPlainCase
          TEXT = 1
          NUMBER = 2
          COLOUR = 3
          POINT = 4
          NOTHING = 5
        type Circle
          radius: Float! = 1 implicit double
        input CircleInput
          radius: Float = 1 implicit double
        enum Colour, 0 is null
          RED = 1
          GREEN = 2
          BLUE = 3
          AMBER = 4 (deprecated: No longer supported)
        type CountResponse
          number: Int! = 1 implicit int32
          countedAt: DateTime = 2 optional Timestamp
        scalar DateTime
        enum Direction, 0 is null
          NORTH = 1
          EAST = 2
          SOUTH = 3
          WEST = 4
        scalar Duration
        type EchoLegacyResponse
          record: LegacyRecord = 1 optional message (deprecated: LegacyRecord is deprecated)
        type EchoResponse
          everything: Everything = 1 optional message
          metadataNames: [String!]! = 2 repeated string
          version: String! = 3 implicit string
        type Empty
          ok: Boolean!
        type Enums
          colour: Colour = 1 implicit enum
          direction: Direction = 2 implicit enum
          level: Level = 3 implicit enum
          toggle: EnumsToggle = 4 implicit enum
        input EnumsInput
          colour: Colour = 1 implicit enum
          direction: Direction = 2 implicit enum
          level: Level = 3 implicit enum
          toggle: EnumsToggle = 4 implicit enum
        enum EnumsToggle
          OFF = 0
          ON = 1
        type Everything
          scalars: Scalars = 1 optional message
          optionals: OptionalScalars = 2 optional message
          wrappers: Wrappers = 3 optional message
          lists: Lists = 4 optional message
          maps: Maps = 5 optional message
          choices: Choices = 6 optional message
          wellKnown: WellKnown = 7 optional message
          enums: Enums = 8 optional message
          tree: Node = 9 optional message
          calledOtherwise: String! = 10 implicit string
          calledByOption: String! = 11 implicit string
          reference: ID! = 12 implicit int64
          zeroIsAbsent: Int = 13 emptyasnull int32
          sizeBytes: UInt32! = 14 implicit uint32
          outdated: String! = 16 implicit string (deprecated: nothing reads it any more.)
          place: PlacePoint = 17 optional message
        input EverythingInput
          scalars: ScalarsInput = 1 optional message
          optionals: OptionalScalarsInput = 2 optional message
          wrappers: WrappersInput = 3 optional message
          lists: ListsInput = 4 optional message
          maps: MapsInput = 5 optional message
          choices: ChoicesInput = 6 optional message
          wellKnown: WellKnownInput = 7 optional message
          enums: EnumsInput = 8 optional message
          tree: NodeInput = 9 optional message
          calledOtherwise: String = 10 implicit string
          calledByOption: String = 11 implicit string
          reference: ID = 12 implicit int64
          zeroIsAbsent: Int = 13 emptyasnull int32
          outdated: String = 16 implicit string (deprecated: nothing reads it any more.)
          place: PlacePointInput = 17 optional message
        type FailResponse
          failures: UInt64! = 1 implicit uint64
        scalar FieldMask
        scalar Int64
        scalar JSON
        enum LegacyKind
          PAPER = 1
          TAPE = 2
        type LegacyRecord
          id: Int! = 1 required int32
          label: String = 2 optional string
          origin: LegacyRecordOrigin = 3 optional group (deprecated: Origin is deprecated)
          kind: LegacyKind = 4 optional enum (deprecated: LegacyKind is deprecated)
          numbers: [Int!]! = 5 repeated int32
        input LegacyRecordInput
          id: Int! = 1 required int32
          label: String = 2 optional string
          origin: LegacyRecordOriginInput = 3 optional group (deprecated: Origin is deprecated)
          kind: LegacyKind = 4 optional enum (deprecated: LegacyKind is deprecated)
          numbers: [Int!] = 5 repeated int32
        type LegacyRecordOrigin
          system: String = 1 optional string
          line: Int = 2 optional int32
        input LegacyRecordOriginInput
          system: String = 1 optional string
          line: Int = 2 optional int32
        enum Level, 0 is null
          NEGATIVE = -1
          LOW = 1
          MAXIMUM = 2
          HIGH = 2
        type Lists
          doubleValues: [Float!]! = 1 repeated double
          floatValues: [Float!]! = 2 repeated float
          int32Values: [Int!]! = 3 repeated int32
          unpackedInt32Values: [Int!]! = 4 repeated int32
          int64Values: [Int64!]! = 5 repeated int64
          sint64Values: [Int64!]! = 6 repeated sint64
          fixed32Values: [UInt32!]! = 7 repeated fixed32
          boolValues: [Boolean!]! = 8 repeated bool
          stringValues: [String!]! = 9 repeated string
          bytesValues: [Bytes!]! = 10 repeated bytes
          enumValues: [Colour!]! = 11 repeated enum
          messageValues: [PlacePoint!]! = 12 repeated message
          timestampValues: [DateTime!]! = 13 repeated Timestamp
          wrapperValues: [Int64!]! = 14 repeated wrapped int64
        input ListsInput
          doubleValues: [Float!] = 1 repeated double
          floatValues: [Float!] = 2 repeated float
          int32Values: [Int!] = 3 repeated int32
          unpackedInt32Values: [Int!] = 4 repeated int32
          int64Values: [Int64!] = 5 repeated int64
          sint64Values: [Int64!] = 6 repeated sint64
          fixed32Values: [UInt32!] = 7 repeated fixed32
          boolValues: [Boolean!] = 8 repeated bool
          stringValues: [String!] = 9 repeated string
          bytesValues: [Bytes!] = 10 repeated bytes
          enumValues: [Colour!] = 11 repeated enum
          messageValues: [PlacePointInput!] = 12 repeated message
          timestampValues: [DateTime!] = 13 repeated Timestamp
          wrapperValues: [Int64!] = 14 repeated wrapped int64
        type Maps
          stringToString: [MapsStringToStringEntry!]! = 1 map message
          stringToInt64: [MapsStringToInt64Entry!]! = 2 map message
          int32ToPoint: [MapsInt32ToPointEntry!]! = 3 map message
          uint64ToColour: [MapsUint64ToColourEntry!]! = 4 map message
          boolToBytes: [MapsBoolToBytesEntry!]! = 5 map message
          stringToTimestamp: [MapsStringToTimestampEntry!]! = 6 map message
          sfixed64ToDouble: [MapsSfixed64ToDoubleEntry!]! = 7 map message
        type MapsBoolToBytesEntry
          key: Boolean! = 1 implicit bool
          value: Bytes! = 2 implicit bytes
        input MapsBoolToBytesEntryInput
          key: Boolean! = 1 implicit bool
          value: Bytes! = 2 implicit bytes
        input MapsInput
          stringToString: [MapsStringToStringEntryInput!] = 1 map message
          stringToInt64: [MapsStringToInt64EntryInput!] = 2 map message
          int32ToPoint: [MapsInt32ToPointEntryInput!] = 3 map message
          uint64ToColour: [MapsUint64ToColourEntryInput!] = 4 map message
          boolToBytes: [MapsBoolToBytesEntryInput!] = 5 map message
          stringToTimestamp: [MapsStringToTimestampEntryInput!] = 6 map message
          sfixed64ToDouble: [MapsSfixed64ToDoubleEntryInput!] = 7 map message
        type MapsInt32ToPointEntry
          key: Int! = 1 implicit int32
          value: PlacePoint! = 2 optional message
        input MapsInt32ToPointEntryInput
          key: Int! = 1 implicit int32
          value: PlacePointInput! = 2 optional message
        type MapsSfixed64ToDoubleEntry
          key: Int64! = 1 implicit sfixed64
          value: Float! = 2 implicit double
        input MapsSfixed64ToDoubleEntryInput
          key: Int64! = 1 implicit sfixed64
          value: Float! = 2 implicit double
        type MapsStringToInt64Entry
          key: String! = 1 implicit string
          value: Int64! = 2 implicit int64
        input MapsStringToInt64EntryInput
          key: String! = 1 implicit string
          value: Int64! = 2 implicit int64
        type MapsStringToStringEntry
          key: String! = 1 implicit string
          value: String! = 2 implicit string
        input MapsStringToStringEntryInput
          key: String! = 1 implicit string
          value: String! = 2 implicit string
        type MapsStringToTimestampEntry
          key: String! = 1 implicit string
          value: DateTime = 2 optional Timestamp
        input MapsStringToTimestampEntryInput
          key: String! = 1 implicit string
          value: DateTime! = 2 optional Timestamp
        type MapsUint64ToColourEntry
          key: UInt64! = 1 implicit uint64
          value: Colour = 2 implicit enum
        input MapsUint64ToColourEntryInput
          key: UInt64! = 1 implicit uint64
          value: Colour! = 2 implicit enum
        type Node
          label: String! = 1 implicit string
          children: [Node!]! = 2 repeated message
          twin: Node = 3 optional message
        input NodeInput
          label: String = 1 implicit string
          children: [NodeInput!] = 2 repeated message
          twin: NodeInput = 3 optional message
        type OptionalScalars
          doubleValue: Float = 1 optional double
          floatValue: Float = 2 optional float
          int32Value: Int = 3 optional int32
          int64Value: Int64 = 4 optional int64
          uint32Value: UInt32 = 5 optional uint32
          uint64Value: UInt64 = 6 optional uint64
          sint32Value: Int = 7 optional sint32
          sint64Value: Int64 = 8 optional sint64
          fixed32Value: UInt32 = 9 optional fixed32
          fixed64Value: UInt64 = 10 optional fixed64
          sfixed32Value: Int = 11 optional sfixed32
          sfixed64Value: Int64 = 12 optional sfixed64
          boolValue: Boolean = 13 optional bool
          stringValue: String = 14 optional string
          bytesValue: Bytes = 15 optional bytes
          enumValue: Colour = 16 optional enum
        input OptionalScalarsInput
          doubleValue: Float = 1 optional double
          floatValue: Float = 2 optional float
          int32Value: Int = 3 optional int32
          int64Value: Int64 = 4 optional int64
          uint32Value: UInt32 = 5 optional uint32
          uint64Value: UInt64 = 6 optional uint64
          sint32Value: Int = 7 optional sint32
          sint64Value: Int64 = 8 optional sint64
          fixed32Value: UInt32 = 9 optional fixed32
          fixed64Value: UInt64 = 10 optional fixed64
          sfixed32Value: Int = 11 optional sfixed32
          sfixed64Value: Int64 = 12 optional sfixed64
          boolValue: Boolean = 13 optional bool
          stringValue: String = 14 optional string
          bytesValue: Bytes = 15 optional bytes
          enumValue: Colour = 16 optional enum
        type PingPayload
          ok: Boolean!
        type PlacePoint
          x: Int! = 1 implicit sint32
          y: Int! = 2 implicit sint32
        input PlacePointInput
          x: Int = 1 implicit sint32
          y: Int = 2 implicit sint32
        type RecallResponse
          value: JSON = 1 optional Value
        type Rectangle
          width: Float! = 1 implicit double
          height: Float! = 2 implicit double
        input RectangleInput
          width: Float = 1 implicit double
          height: Float = 2 implicit double
        type RememberResponse
          previous: JSON = 1 optional Value
          size: UInt32! = 2 implicit uint32
        type Scalars
          doubleValue: Float! = 1 implicit double
          floatValue: Float! = 2 implicit float
          int32Value: Int! = 3 implicit int32
          int64Value: Int64! = 4 implicit int64
          uint32Value: UInt32! = 5 implicit uint32
          uint64Value: UInt64! = 6 implicit uint64
          sint32Value: Int! = 7 implicit sint32
          sint64Value: Int64! = 8 implicit sint64
          fixed32Value: UInt32! = 9 implicit fixed32
          fixed64Value: UInt64! = 10 implicit fixed64
          sfixed32Value: Int! = 11 implicit sfixed32
          sfixed64Value: Int64! = 12 implicit sfixed64
          boolValue: Boolean! = 13 implicit bool
          stringValue: String! = 14 implicit string
          bytesValue: Bytes! = 15 implicit bytes
        input ScalarsInput
          doubleValue: Float = 1 implicit double
          floatValue: Float = 2 implicit float
          int32Value: Int = 3 implicit int32
          int64Value: Int64 = 4 implicit int64
          uint32Value: UInt32 = 5 implicit uint32
          uint64Value: UInt64 = 6 implicit uint64
          sint32Value: Int = 7 implicit sint32
          sint64Value: Int64 = 8 implicit sint64
          fixed32Value: UInt32 = 9 implicit fixed32
          fixed64Value: UInt64 = 10 implicit fixed64
          sfixed32Value: Int = 11 implicit sfixed32
          sfixed64Value: Int64 = 12 implicit sfixed64
          boolValue: Boolean = 13 implicit bool
          stringValue: String = 14 implicit string
          bytesValue: Bytes = 15 implicit bytes
        union Shape = Circle | Rectangle | ShapeDescribed
        type ShapeDescribed
          value: String! = 8 optional string
        scalar UInt32
        scalar UInt64
        type WaitResponse
          waited: Duration = 1 optional Duration
        type WellKnown
          timestamp: DateTime = 1 optional Timestamp
          duration: Duration = 2 optional Duration
          fieldMask: FieldMask = 3 optional FieldMask
          struct: JSON = 4 optional Struct
          value: JSON = 5 optional Value
          listValue: JSON = 6 optional ListValue
          nullValue: JSON = 7 implicit Null
          any: JSON = 8 optional Any
          anyValues: [JSON!]! = 9 repeated Any
          empty: Empty = 10 optional message
        input WellKnownInput
          timestamp: DateTime = 1 optional Timestamp
          duration: Duration = 2 optional Duration
          fieldMask: FieldMask = 3 optional FieldMask
          struct: JSON = 4 optional Struct
          value: JSON = 5 optional Value
          listValue: JSON = 6 optional ListValue
          nullValue: JSON = 7 implicit Null
          any: JSON = 8 optional Any
          anyValues: [JSON!] = 9 repeated Any
          empty: Boolean = 10 optional Empty
        type Wrappers
          doubleValue: Float = 1 optional wrapped double
          floatValue: Float = 2 optional wrapped float
          int64Value: Int64 = 3 optional wrapped int64
          uint64Value: UInt64 = 4 optional wrapped uint64
          int32Value: Int = 5 optional wrapped int32
          uint32Value: UInt32 = 6 optional wrapped uint32
          boolValue: Boolean = 7 optional wrapped bool
          stringValue: String = 8 optional wrapped string
          bytesValue: Bytes = 9 optional wrapped bytes
        input WrappersInput
          doubleValue: Float = 1 optional wrapped double
          floatValue: Float = 2 optional wrapped float
          int64Value: Int64 = 3 optional wrapped int64
          uint64Value: UInt64 = 4 optional wrapped uint64
          int32Value: Int = 5 optional wrapped int32
          uint32Value: UInt32 = 6 optional wrapped uint32
          boolValue: Boolean = 7 optional wrapped bool
          stringValue: String = 8 optional wrapped string
          bytesValue: Bytes = 9 optional wrapped bytes
        demo.echo.v1.EchoService.Recall: only reads, because it is a query (option)
        warning[STREAM_OF_CALLERS]: demo.echo.v1.EchoService.Chat is not in the graph, because its caller streams. Only unary RPCs and streams from the service have a form in GraphQL.
        warning[STREAM_OF_CALLERS]: demo.echo.v1.EchoService.Collect is not in the graph, because its caller streams. Only unary RPCs and streams from the service have a form in GraphQL.
    "#]],
    );
}

#[test]
fn a_plain_rpc_is_a_mutation() {
    check(
        "service S { rpc Do(google.protobuf.Empty) returns (google.protobuf.Empty); }",
        expect![[r#"
        mutation do: DoPayload -> Do [once]
        type DoPayload
          ok: Boolean!
    "#]],
    );
}
